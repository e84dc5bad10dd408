/** Where the page is; all of it stands behind the `#`, so that a link shows another person the same. */
export type Route =
  | { readonly page: 'list'; readonly filter: Readonly<Record<string, string>> }
  | { readonly page: 'trace'; readonly id: string; readonly span: string | undefined }

export function readRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?')
  const params = new URLSearchParams(query)
  const id = /^\/trace\/([0-9a-fA-F]{16,32})$/.exec(path)?.[1]
  if (id !== undefined) return { page: 'trace', id, span: params.get('span') ?? undefined }
  return { page: 'list', filter: Object.fromEntries(params) }
}

export function listHash(filter: Readonly<Record<string, string>>): string {
  const given = Object.entries(filter).filter(([, value]) => value !== '')
  return given.length === 0 ? '#/' : `#/?${new URLSearchParams(given).toString()}`
}

export function traceHash(id: string, span?: string): string {
  return `#/trace/${id}${span === undefined ? '' : `?span=${span}`}`
}
