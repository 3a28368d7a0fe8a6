import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import { JcsError, readError } from '../../base/errors'
import { bearerAuthentication } from '../../http/authentication'
import type { Authenticate } from '../../http/options'
import { createServer, type ServerOptions } from '../../http/server'
import { createService } from '../../service'
import { addRuntimeOptions, number, type RuntimeFlags, runtimeOf, wholeNumber } from '../options'
import { addPacsOptions, type PacsFlags, pacsOf } from '../pacs'
import type { Session } from '../session'

interface Flags extends RuntimeFlags, PacsFlags {
  port: number
  host: string
  segmenter?: string
  classifier?: string
  /** False with --no-lungs. */
  lungs?: string | false
  maxQueue?: number
  maxActive?: number
  maxCases?: number
  memoryBudget?: number
  maxFiles?: number
  maxUpload?: number
  maxUploads?: number
  uploadTimeout?: number
  apiKeys?: string
  jwtKey?: string
  jwtIssuer?: string
  jwtAudience?: string
  page: boolean
  logLevel: NonNullable<ServerOptions['logLevel']>
  grace: number
}

export function addServe(program: Command, sessionFor: (flags: Flags) => Session): void {
  const command = program
    .command('serve')
    .description('answer over HTTP: classify, segment and diagnose what is sent, for many at once')
    .option('-p, --port <n>', 'where it listens; 0 takes a free one', wholeNumber, 8080)
    .option(
      '--host <address>',
      'of which interface; others are to reach it through a proxy with TLS',
      '127.0.0.1',
    )
    .option('-s, --segmenter <model>', "outlines lesions: 'lesions', the default, or a file")
    .option('-c, --classifier <file>', 'a trained classifier')
    .option(
      '-l, --lungs <model>',
      "outlines lungs: 'lungs', the default beside the default segmenter, or a file",
    )
    .option('--no-lungs', 'measure nothing')
    .optionsGroup('Limits:')
    .option('--max-queue <n>', 'requests that wait; one more is refused; default 64', wholeNumber)
    .option('--max-active <n>', 'requests for slices that are worked on; default 32', wholeNumber)
    .option('--max-cases <n>', 'diagnoses that are worked on; default 2', wholeNumber)
    .option('--memory-budget <MiB>', 'of all models; default none', number)
    .option('--max-files <n>', 'of a request; default 4000', wholeNumber)
    .option('--max-upload <MiB>', 'of a request; default 2048', number)
    .option('--max-uploads <n>', 'requests that are received at the same time; default 8', wholeNumber)
    .option('--upload-timeout <s>', 'in which a request has to be received; default 300', number)
    .option('--grace <s>', 'for what is underway when it is ended', number, 30)
    .optionsGroup('Who may ask (default: everybody who reaches it):')
    .option(
      '--api-keys <file>',
      'a line for each client: its name, a colon, its key of 16 characters or more',
    )
    .option('--jwt-key <file>', 'of signed tokens: a public key in PEM, or a secret of 32 bytes or more')
    .option('--jwt-issuer <name>', 'that tokens have to be of')
    .option('--jwt-audience <name>', 'that tokens have to be for')
    .optionsGroup('Output:')
    .option('--no-page', 'without the page on which a case can be sent and read')
    .addOption(
      new Option('--log-level <level>', 'of the log on stdout, a line of JSON each')
        .choices(['silent', 'error', 'warn', 'info', 'debug'])
        .default('info'),
    )
    .addHelpText(
      'after',
      `
Examples:
  jcs serve --api-keys keys
  jcs serve --port 8000 --jwt-key key.pem --jwt-issuer https://login.example --from https://pacs.example/dicom-web
  curl -F images=@slice.dcm http://127.0.0.1:8080/v1/segment

It ends at SIGINT or SIGTERM, once what is underway is done. docs/services.md says what it answers.`,
    )
  addRuntimeOptions(addPacsOptions(command)).action(async (flags: Flags) => {
    const session = sessionFor({ ...flags, progress: 'none' })
    const { segmenter = 'lesions' } = flags
    const lungs = flags.lungs ?? (flags.segmenter === undefined ? 'lungs' : false)
    const authenticate = await authenticationOf(flags)
    await using service = await createService({
      ...runtimeOf(flags),
      segmenter,
      classifier: flags.classifier,
      lungs: lungs || undefined,
      maxQueue: flags.maxQueue,
      maxActive: flags.maxActive,
      maxActiveCases: flags.maxCases,
      memoryBudgetBytes: bytesOf(flags.memoryBudget),
    })
    const app = await createServer({
      service,
      authenticate,
      pacs: flags.from === undefined ? undefined : pacsOf(flags),
      limits: {
        maxFiles: flags.maxFiles,
        maxBytes: bytesOf(flags.maxUpload),
        maxUploads: flags.maxUploads,
        uploadTimeoutMs: flags.uploadTimeout === undefined ? undefined : 1000 * flags.uploadTimeout,
      },
      page: flags.page,
      logLevel: flags.logLevel,
    })
    const address = await app.listen({ port: flags.port, host: flags.host }).catch((error: Error) => {
      throw new JcsError(
        'INVALID_ARGUMENT',
        `nothing can listen at ${flags.host}, port ${flags.port}: ${error.message}`,
        {
          cause: error,
        },
      )
    })
    session.say(`jcs serves at ${address}`)
    if (!session.signal.aborted) await once(session.signal, 'abort')
    // Whoever waits for an answer gets it; others are told that it closes, until nothing is underway.
    await service.close({ graceMs: 1000 * flags.grace })
    await app.close()
  })
}

function bytesOf(mebibytes: number | undefined): number | undefined {
  return mebibytes === undefined ? undefined : Math.round(mebibytes * 2 ** 20)
}

async function authenticationOf(flags: Flags): Promise<Authenticate | undefined> {
  const { apiKeys, jwtKey, jwtIssuer, jwtAudience } = flags
  if (jwtKey === undefined && (jwtIssuer ?? jwtAudience) !== undefined)
    throw new JcsError('INVALID_ARGUMENT', '--jwt-issuer and --jwt-audience need --jwt-key')
  if (apiKeys === undefined && jwtKey === undefined) return undefined
  return bearerAuthentication({
    apiKeys: apiKeys === undefined ? undefined : keysOf(await readText(apiKeys), apiKeys),
    jwt:
      jwtKey === undefined
        ? undefined
        : { key: await readText(jwtKey), issuer: jwtIssuer, audience: jwtAudience },
  })
}

function keysOf(text: string, path: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line, index) => {
      const [, name, key] = /^([^:]+):\s*(\S+)\s*$/.exec(line) ?? []
      if (name === undefined || key === undefined)
        throw new JcsError('INVALID_ARGUMENT', `${path}: entry ${index + 1} is no name, colon and key`)
      return [name.trim(), key]
    }),
  )
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw readError(error, path)
  }
}
