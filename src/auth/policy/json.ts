/**
 * JSON whose objects keep every member in the order they were written.
 *
 * JSON.parse forgets a member that comes twice, and where the first one stood. Which error a policy is refused with, and
 * which of two equal members counts, depends on both.
 */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject

export class JsonObject {
  readonly members: Member[] = []
}

export type Member = readonly [name: string, value: Json]

/** VersityGW reads JSON no deeper than this; nor does any policy mean something so deep. */
const MAX_DEPTH = 10_000

/** SyntaxError unless `text` is one JSON value. */
export function parseJson(text: string): Json {
  // The grammar is checked by the engine, so that the reader below can trust it.
  JSON.parse(text)
  return new Reader().read(text)
}

const TOKEN = /[[\]{},:]|"[^"\\]*(?:\\.[^"\\]*)*"|[^\s[\]{},:"]+/g

/** Containers are kept on a stack of its own: the depth of a document is its author's choice. */
class Reader {
  readonly #open: (Json[] | JsonObject)[] = []
  #name: string | undefined
  #result: Json = null

  read(text: string): Json {
    for (const [token] of text.matchAll(TOKEN)) this.#take(token)
    return this.#result
  }

  #take(token: string): void {
    switch (token) {
      case '[':
        return this.#begin([])
      case '{':
        return this.#begin(new JsonObject())
      case ']':
      case '}':
        this.#open.pop()
        return
      case ',':
      case ':':
        return
      default:
        this.#scalar(JSON.parse(token) as null | boolean | number | string)
    }
  }

  #begin(container: Json[] | JsonObject): void {
    this.#add(container)
    this.#open.push(container)
    if (this.#open.length > MAX_DEPTH) throw new SyntaxError('nested too deeply')
  }

  #scalar(value: null | boolean | number | string): void {
    const awaitsName = this.#open.at(-1) instanceof JsonObject && this.#name === undefined
    if (awaitsName && typeof value === 'string') this.#name = value
    else this.#add(value)
  }

  #add(value: Json): void {
    const parent = this.#open.at(-1)
    if (parent === undefined) this.#result = value
    else if (Array.isArray(parent)) parent.push(value)
    else parent.members.push([this.#name ?? '', value])
    this.#name = undefined
  }
}
