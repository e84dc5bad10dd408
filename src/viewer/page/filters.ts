import { h } from './dom.ts'
import { listHash } from './route.ts'

export type Filter = Readonly<Record<string, string>>

/** The fields that `GET /api/traces` understands, beside those that say which page of the list is shown. */
const FIELDS = [
  { name: 'operation', label: 'Operation', hint: 'GetObject' },
  { name: 'bucket', label: 'Bucket', hint: 'photos' },
  { name: 'prefix', label: 'Key begins with', hint: '2026/' },
  { name: 'minMs', label: 'At least, ms', hint: '100' },
  { name: 'access', label: 'Access key', hint: '' },
  { name: 'id', label: 'Trace or request id', hint: '' },
] as const

const STATUS = ['', 'error', '2xx', '3xx', '4xx', '5xx'] as const
const REASON = ['', 'head', 'error', 'slow'] as const

/** Where it is narrower, the list comes first and the filters unfold. */
const ROOMY = '(min-width: 641px)'

/** A form above the list. What it says goes into the address, and from there into the list. */
export function filterForm(filter: Filter, operations: readonly string[]): HTMLElement {
  const form = h('form', { class: 'filters', role: 'search' })
  const apply = (): void => {
    const values = Object.fromEntries(
      [...new FormData(form)].map(([name, value]) => [
        name,
        typeof value === 'string' ? value.trim() : '',
      ]),
    )
    location.hash = listHash(values)
  }
  form.addEventListener('change', apply)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    apply()
  })
  form.append(
    ...FIELDS.map(({ name, label, hint }) =>
      h(
        'label',
        {},
        label,
        h('input', {
          name,
          value: filter[name] ?? '',
          placeholder: hint,
          autocomplete: 'off',
          spellcheck: 'false',
          list: name === 'operation' ? 'operations' : undefined,
          inputmode: name === 'minMs' ? 'decimal' : undefined,
        }),
      ),
    ),
    h('datalist', { id: 'operations' }, ...operations.map((value) => h('option', { value }))),
    choice('status', 'Status', STATUS, filter),
    choice('reason', 'Kept for', REASON, filter),
    choice('order', 'Order', ['', 'slowest'], filter),
    h('a', { href: '#/', class: 'button' }, 'Clear'),
  )
  const isOpen = matchMedia(ROOMY).matches || Object.keys(filter).length > 0
  return h('details', { open: isOpen }, h('summary', {}, 'Filters'), form)
}

const NAMES: Readonly<Record<string, string>> = { '': 'any', order: 'newest' }

function choice(
  name: string,
  label: string,
  values: readonly string[],
  filter: Filter,
): HTMLLabelElement {
  const options = values.map((value) => {
    const text = value === '' ? (NAMES[name] ?? 'any') : value
    return h('option', { value, selected: value === (filter[name] ?? '') }, text)
  })
  return h('label', {}, label, h('select', { name }, ...options))
}
