import type { Evaluation } from './evaluation.ts'

/** Any run of characters, also an empty one. */
export const STAR = Symbol('*')
/** Any one character. */
export const ANY = Symbol('?')

export type GlobPart = string | typeof STAR | typeof ANY

/** What is compared with many patterns: it is taken apart once, and only if one of them wants that. */
export class Text {
  readonly text: string
  #points: readonly number[] | undefined

  constructor(text: string) {
    this.text = text
  }

  /** Its characters, where a UTF-16 unit is perhaps none. */
  get points(): readonly number[] {
    return (this.#points ??= codePoints(this.text))
  }
}

/**
 * Wildcards stand for `/` as well. Between two stars the first place where a piece fits is as good as any other, so
 * nothing is ever tried twice: the work grows with the length of the text, not with the number of stars.
 */
export interface Glob {
  matches(text: Text, evaluation: Evaluation): boolean
}

export function compileGlob(parts: readonly GlobPart[]): Glob {
  return parts.includes(ANY) ? new CharacterGlob(parts) : new StarGlob(parts)
}

/** Stars only: the engine's own searches do. */
class StarGlob implements Glob {
  readonly #first: string
  readonly #last: string
  readonly #middle: readonly string[]
  readonly #shortest: number
  readonly #hasStar: boolean

  constructor(parts: readonly GlobPart[]) {
    const pieces = ['']
    for (const part of parts) {
      if (typeof part === 'string') pieces.push((pieces.pop() ?? '') + part)
      else pieces.push('')
    }
    const [first = '', ...others] = pieces
    this.#hasStar = others.length > 0
    this.#first = first
    this.#last = others.pop() ?? ''
    this.#middle = others.filter((piece) => piece !== '')
    this.#shortest = pieces.reduce((sum, piece) => sum + piece.length, 0)
  }

  matches({ text }: Text, evaluation: Evaluation): boolean {
    if (!this.#hasStar) return text === this.#first
    if (text.length < this.#shortest) return false
    // The engine's search for a short piece may stop at every character.
    if (this.#middle.length > 0) evaluation.spend(text.length * 2)
    if (!text.startsWith(this.#first) || !text.endsWith(this.#last)) return false
    const end = text.length - this.#last.length
    let from = this.#first.length
    for (const piece of this.#middle) {
      const at = text.indexOf(piece, from)
      if (at < 0) return false
      from = at + piece.length
    }
    return from <= end
  }
}

/**
 * With question marks. Long pieces are searched for with one bit for each of their characters (Baeza-Yates and Gonnet,
 * "shift-and"), because a piece with `?` in it has no faster search that cannot be led astray.
 */
class CharacterGlob implements Glob {
  readonly #first: Piece
  /** Undefined where there is no star. */
  readonly #last: Piece | undefined
  readonly #middle: readonly Piece[]
  readonly #shortest: number

  constructor(parts: readonly GlobPart[]) {
    const pieces: Piece[] = []
    let points: number[] = []
    for (const part of parts) {
      if (part === STAR) {
        pieces.push(new Piece(points))
        points = []
      } else if (part === ANY) points.push(ANY_POINT)
      else for (const point of codePoints(part)) points.push(point)
    }
    const end = new Piece(points)
    const [first] = pieces
    this.#first = first ?? end
    this.#last = first === undefined ? undefined : end
    this.#middle = pieces.slice(1).filter((piece) => piece.length > 0)
    this.#shortest = [...pieces, end].reduce((sum, piece) => sum + piece.length, 0)
  }

  matches(text: Text, evaluation: Evaluation): boolean {
    if (text.text.length < this.#shortest) return false
    evaluation.spend(text.text.length)
    const { points } = text
    if (points.length < this.#shortest || !this.#first.isAt(points, 0)) return false
    if (this.#last === undefined) return points.length === this.#first.length
    const end = points.length - this.#last.length
    if (!this.#last.isAt(points, end)) return false
    let from = this.#first.length
    for (const piece of this.#middle) {
      from = piece.endAfter(points, { from, end }, evaluation)
      if (from < 0) return false
    }
    return true
  }
}

const ANY_POINT = -1
/** Up to so many characters, looking at each place is faster than anything clever. */
const SHORT_PIECE = 16
const WORD_BITS = 32

interface Span {
  readonly from: number
  readonly end: number
}

class Piece {
  readonly length: number
  readonly #points: readonly number[]
  #masks: Map<number, Int32Array> | undefined

  constructor(points: readonly number[]) {
    this.#points = points
    this.length = points.length
  }

  isAt(text: readonly number[], at: number): boolean {
    for (let i = 0; i < this.length; i++) {
      const point = this.#points[i]
      if (point !== text[at + i] && point !== ANY_POINT) return false
    }
    return true
  }

  /** Where its first occurrence in `text[from, end)` ends; -1 where there is none. */
  endAfter(text: readonly number[], { from, end }: Span, evaluation: Evaluation): number {
    const isShort = this.length <= SHORT_PIECE
    // A table of as many words as the piece has, for each of its characters: mostly they are few.
    if (!isShort && this.#masks === undefined)
      evaluation.spend(this.length * Math.ceil(this.length / WORD_BITS))
    const found = isShort ? this.#search(text, from, end) : this.#shiftAnd(text, from, end)
    const width = isShort ? this.length : Math.ceil(this.length / WORD_BITS)
    evaluation.spend(((found < 0 ? end : found) - from) * width)
    return found
  }

  #search(text: readonly number[], from: number, end: number): number {
    for (let at = from; at + this.length <= end; at++)
      if (this.isAt(text, at)) return at + this.length
    return -1
  }

  /** Bit i of `state` tells whether the piece's first i + 1 characters end here. */
  #shiftAnd(text: readonly number[], from: number, end: number): number {
    const masks = (this.#masks ??= this.#buildMasks())
    const others = masks.get(ANY_POINT)
    const last = this.length - 1
    const state = new Int32Array(Math.ceil(this.length / WORD_BITS))
    for (let at = from; at < end; at++) {
      const mask = masks.get(text[at] ?? ANY_POINT) ?? others
      let carry = 1
      for (let word = 0; word < state.length; word++) {
        const before = state[word] ?? 0
        state[word] = ((before << 1) | carry) & (mask?.[word] ?? 0)
        carry = before >>> (WORD_BITS - 1)
      }
      if (((state[last >>> 5] ?? 0) >>> (last & 31)) & 1) return at + 1
    }
    return -1
  }

  /** For each character where in the piece it may stand; below ANY_POINT for those that are not in it. */
  #buildMasks(): Map<number, Int32Array> {
    const words = Math.ceil(this.length / WORD_BITS)
    const others = new Int32Array(words)
    for (const [i, point] of this.#points.entries())
      if (point === ANY_POINT) others[i >>> 5] = (others[i >>> 5] ?? 0) | (1 << (i & 31))
    const masks = new Map([[ANY_POINT, others]])
    for (const [i, point] of this.#points.entries()) {
      const mask = masks.get(point) ?? Int32Array.from(others)
      mask[i >>> 5] = (mask[i >>> 5] ?? 0) | (1 << (i & 31))
      masks.set(point, mask)
    }
    return masks
  }
}

function codePoints(text: string): number[] {
  const points: number[] = []
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) ?? 0
    if (point > 0xffff) i++
    points.push(point)
  }
  return points
}
