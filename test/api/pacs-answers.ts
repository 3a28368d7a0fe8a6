import { ctSlice } from './dicom-files'
import { type Answer, archive } from './pacs-stand-in'

export const study = '1.2'
export const slices = Object.fromEntries(
  Array.from({ length: 6 }, (_, number) => [
    `1.2.3.${number}`,
    ctSlice({ number, position: [0, 0, number] }),
  ]),
)
export const oneSeries = archive(study, { '1.2.3': slices })
export const address = { study }

/** Answers as `usual` does, but where `odd` does it. */
export const unless = (
  odd: (asked: Parameters<Answer>[1], nth: number) => Answer | undefined,
  usual = oneSeries,
): Answer => {
  let count = 0
  return (response, asked) => (odd(asked, count++) ?? usual)(response, asked)
}
export const isInstance = ({ path }: { path: string }) => /\/instances\/[^/]+$/.test(path)
/** Instead of the first instance that is asked for, and each time after. */
export const instead = (answer: Answer): Answer => unless((asked) => (isInstance(asked) ? answer : undefined))
export const once = (answer: Answer): Answer => {
  let isDone = false
  return unless((asked) => {
    if (isDone || !isInstance(asked)) return undefined
    isDone = true
    return answer
  })
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end()
