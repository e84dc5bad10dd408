import type { Login } from '../api-types.ts'
import { api, type ApiError } from './api.ts'
import { h, replace } from './dom.ts'

/** Asks for what the gateway accepts, until it accepts it. */
export function showLogin(main: Element, { accepts }: ApiError, onDone: () => void): void {
  const byToken = accepts?.includes('token') ?? false
  const problem = h('p', { class: 'problem', role: 'alert' })
  const token = input('token', 'password', 'Token', 'off')
  const access = input('access', 'text', 'Access key of an admin account', 'username')
  const secret = input('secret', 'password', 'Secret key', 'current-password')
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    const login: Login =
      byToken && token.field.value !== ''
        ? { token: token.field.value.trim() }
        : { access: access.field.value, secret: secret.field.value }
    try {
      await api.logIn(login)
      onDone()
    } catch (error) {
      replace(problem, error instanceof Error ? error.message : String(error))
    }
  }
  const form = h(
    'form',
    { class: 'login', onsubmit: (event: Event) => void submit(event) },
    h('h1', {}, 'Traces of this gateway'),
    h(
      'p',
      {},
      'They hold names of buckets and objects, so whoever looks at them has to say who they are.',
    ),
    byToken && h('p', {}, 'The token was printed when the gateway started.'),
    byToken && token.label,
    byToken && h('p', { class: 'or' }, 'or'),
    access.label,
    secret.label,
    h('button', { type: 'submit', class: 'primary' }, 'Look'),
    problem,
  )
  replace(main, form)
  ;(byToken ? token : access).field.focus()
}

function input(name: string, type: string, text: string, autocomplete: string) {
  const field = h('input', { name, type, autocomplete, spellcheck: 'false' })
  return { field, label: h('label', {}, text, field) }
}

/** The token behind `#token=`, which leaves the address at once. */
export async function logInByAddress(): Promise<void> {
  const token = /^#token=(.+)$/.exec(location.hash)?.[1]
  if (token === undefined) return
  history.replaceState(null, '', location.pathname)
  await api.logIn({ token: decodeURIComponent(token) }).catch(() => undefined)
}
