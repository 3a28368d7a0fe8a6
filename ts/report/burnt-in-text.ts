/**
 * Letters of five by seven points, for text that must be in a picture wherever it is made: what sharp draws comes from the
 * system's fonts, and where there are none it draws boxes.
 */
const glyphs: Readonly<Record<string, readonly string[]>> = {
  ' ': ['', '', '', '', '', '', ''],
  ',': ['', '', '', '', ' ##', '  #', ' #'],
  '-': ['', '', '', '####', '', '', ''],
  a: ['', '', ' ###', '    #', ' ####', '#   #', ' ####'],
  c: ['', '', ' ####', '#', '#', '#', ' ####'],
  d: ['    #', '    #', ' ####', '#   #', '#   #', '#   #', ' ####'],
  e: ['', '', ' ###', '#   #', '#####', '#', ' ####'],
  h: ['#', '#', '####', '#   #', '#   #', '#   #', '#   #'],
  i: ['  #', '', ' ##', '  #', '  #', '  #', ' ###'],
  j: ['   #', '', '  ##', '   #', '   #', '#  #', ' ##'],
  l: [' ##', '  #', '  #', '  #', '  #', '  #', ' ###'],
  m: ['', '', '## #', '# # #', '# # #', '# # #', '# # #'],
  n: ['', '', '####', '#   #', '#   #', '#   #', '#   #'],
  o: ['', '', ' ###', '#   #', '#   #', '#   #', ' ###'],
  r: ['', '', '# ##', '##  #', '#', '#', '#'],
  s: ['', '', ' ####', '#', ' ###', '    #', '####'],
  t: [' #', ' #', '####', ' #', ' #', ' #  #', '  ##'],
  u: ['', '', '#   #', '#   #', '#   #', '#   #', ' ####'],
  v: ['', '', '#   #', '#   #', '#   #', ' # #', '  #'],
  y: ['', '', '#   #', '#   #', ' ####', '    #', ' ###'],
}

const advance = 6
const lineHeight = 10
const margin = 6
const background = [16, 20, 24]
const foreground = [230, 233, 236]

/** Narrower strips cannot hold the longest word. */
export const narrowestStrip = 128

/** A strip of text as RGB, row by row: broken at spaces, in letters twice as large where there is room. */
export function textStrip(text: string, width: number): { data: Uint8Array; height: number } {
  const scale = width >= 3 * narrowestStrip ? 2 : 1
  const lines = broken(text, Math.floor((width - 2 * margin) / (advance * scale)))
  const height = 2 * margin + lines.length * lineHeight * scale
  const data = new Uint8Array(3 * width * height)
  for (let at = 0; at < data.length; at++) data[at] = background[at % 3]!
  const point = (x: number, y: number) => {
    for (let row = y; row < y + scale; row++)
      for (let column = x; column < x + scale; column++) data.set(foreground, 3 * (row * width + column))
  }
  for (const [line, words] of lines.entries())
    for (const [index, letter] of [...words].entries())
      for (const [row, points] of (glyphs[letter] ?? []).entries())
        for (const [column, ink] of [...points].entries())
          if (ink === '#')
            point(margin + (index * advance + column) * scale, margin + (line * lineHeight + row) * scale)
  return { data, height }
}

function broken(text: string, letters: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= letters)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
