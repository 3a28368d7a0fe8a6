import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { JcsError, readError } from '../base/errors'
import type { Pacs } from '../dicomweb'

export interface PacsFlags {
  from?: string
  header?: string[]
  tokenFile?: string
}

/** Options of every command that asks an archive. */
export function addPacsOptions(command: Command): Command {
  return command
    .optionsGroup('PACS:')
    .option(
      '--from <url>',
      "base address of the archive's DICOMweb services, such as https://pacs.example/dicom-web",
    )
    .option(
      '--header <name: value>',
      'sent with every request, may be given several times; other users of the machine see it, unlike --token-file',
      (line: string, lines: string[]) => [...lines, line],
      [],
    )
    .option(
      '--token-file <file>',
      'holds a bearer token; read anew for every request, so that it may be renewed',
    )
}

/** @throws JcsError INVALID_ARGUMENT without --from */
export function pacsOf({ from, header = [], tokenFile }: PacsFlags): Pacs {
  if (from === undefined)
    throw new JcsError('INVALID_ARGUMENT', 'an archive is asked at an address: give it by --from')
  return {
    url: from,
    headers: headersOf(header),
    token: tokenFile === undefined ? undefined : () => readToken(tokenFile),
  }
}

/** What is wrong with one is not repeated: it may be a secret. */
function headersOf(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':')
      if (colon < 1)
        throw new JcsError('INVALID_ARGUMENT', "--header needs a name and a value, such as 'X-Tenant: 7'")
      return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
    }),
  )
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw readError(error, path)
  }
}
