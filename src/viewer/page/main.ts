import type { GatewayView } from '../api-types.ts'
import { api, ApiError } from './api.ts'
import { find, h, replace } from './dom.ts'
import { logInByAddress, showLogin } from './login.ts'
import { readRoute } from './route.ts'
import { showTrace } from './trace-page.ts'
import { showList } from './trace-list.ts'

/** What stands in the page; leaving it stops whatever it follows. */
export interface View {
  leave(): void
  /** A key that nobody else took. */
  onKey(event: KeyboardEvent): void
}

const main = find('#main')
let view: View | undefined
let turn = 0

async function show(): Promise<void> {
  const mine = ++turn
  view?.leave()
  view = undefined
  const route = readRoute(location.hash)
  main.setAttribute('aria-busy', 'true')
  try {
    showTop(await api.gateway())
    const next =
      route.page === 'trace'
        ? await showTrace(main, route.id, route.span)
        : await showList(main, route.filter)
    // Whoever was quicker has the page.
    if (mine === turn) view = next
    else next.leave()
  } catch (error) {
    if (mine === turn) showProblem(error)
  } finally {
    if (mine === turn) main.removeAttribute('aria-busy')
  }
}

function showProblem(error: unknown): void {
  if (error instanceof ApiError && error.status === 401)
    return showLogin(main, error, () => void show())
  const message = error instanceof Error ? error.message : String(error)
  const again = h('button', { type: 'button', onclick: () => void show() }, 'Try again')
  const back = h('a', { href: '#/' }, 'All traces')
  replace(
    main,
    h('div', { class: 'problem', role: 'alert' }, h('p', {}, message), again, ' ', back),
  )
}

function showTop({ host, version, workers, held, sampleRate, depth, who }: GatewayView): void {
  const kept =
    sampleRate >= 1 ? 'every request' : `${sampleRate * 100} % and what failed or was slow`
  replace(
    find('#top'),
    h('a', { href: '#/', class: 'brand' }, 'versitygw-ts'),
    h(
      'span',
      { class: 'about', title: `${held.traces} traces held, to depth ${depth}` },
      `${host} · ${version} · ${workers} ${workers === 1 ? 'process' : 'processes'} · keeps ${kept}`,
    ),
    h(
      'button',
      { type: 'button', class: 'quiet', title: 'Light or dark', onclick: turnTheme },
      '◐',
    ),
    h(
      'button',
      { type: 'button', class: 'quiet', title: `Logged in by ${who}`, onclick: () => void leave() },
      'Log out',
    ),
  )
}

async function leave(): Promise<void> {
  await api.logOut().catch(() => undefined)
  replace(find('#top'))
  await show()
}

const THEME = 'theme'

function turnTheme(): void {
  const dark = matchMedia('(prefers-color-scheme: dark)').matches
  const now = document.documentElement.dataset[THEME] ?? (dark ? 'dark' : 'light')
  const next = now === 'dark' ? 'light' : 'dark'
  document.documentElement.dataset[THEME] = next
  localStorage.setItem(THEME, next)
  void show()
}

function start(): void {
  const theme = localStorage.getItem(THEME)
  if (theme !== null) document.documentElement.dataset[THEME] = theme
  addEventListener('hashchange', () => void show())
  addEventListener('keydown', (event) => {
    const { target } = event
    const isTyping = target instanceof HTMLInputElement || target instanceof HTMLSelectElement
    if (isTyping ? event.key !== 'Escape' : event.ctrlKey || event.metaKey || event.altKey) {
      return
    }
    if (isTyping) target.blur()
    else view?.onKey(event)
  })
  void logInByAddress().then(show)
}

start()
