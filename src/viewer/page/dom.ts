/**
 * Elements without markup: whatever is shown was sent by somebody, so nothing here ever parses HTML. Texts become text
 * nodes, and control characters in them the pictures that Unicode has for them.
 */

type Child = Node | string | number | undefined | false
type Props = Readonly<
  Record<string, string | number | boolean | undefined | ((event: never) => void)>
>

/** An element. `on…` are listeners, `data…` and `aria…` attributes, all else properties or attributes by their names. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener)
    else if (name === 'class') element.className = String(value)
    else element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child) => child !== undefined && child !== false).map(toNode))
  return element
}

function toNode(child: Node | string | number): Node {
  return child instanceof Node ? child : document.createTextNode(visible(String(child)))
}

/** U+2400… show C0 controls; bidirectional overrides would let a key pretend to be another. */
function visible(text: string): string {
  return (
    text
      // oxlint-disable-next-line no-control-regex
      .replace(/[\u0000-\u001f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
      .replace(/[\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, '\ufffd')
  )
}

export function replace(parent: Element, ...children: readonly Child[]): void {
  parent.replaceChildren(
    ...children.filter((child) => child !== undefined && child !== false).map(toNode),
  )
}

export function find(selector: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(selector)
  if (element === null) throw new Error(`the page has no ${selector}`)
  return element
}
