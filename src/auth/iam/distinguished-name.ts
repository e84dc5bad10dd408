const SPECIAL = /["+,;<>\\=]/g

/** A value for its place in a distinguished name: RFC 4514 section 2.4. Control characters become `\` and two hex digits. */
export function escapeRdnValue(value: string): string {
  return value
    .replace(SPECIAL, String.raw`\$&`)
    .replace(/^[ #]| $/g, String.raw`\$&`)
    .replace(/\p{Cc}/gu, (character) =>
      [...Buffer.from(character)].map((byte) => `\\${hex(byte)}`).join(''),
    )
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
