// Progress of a long step: one live line on a terminal, a line now and then elsewhere.

const formatDuration = (ms) => {
  const seconds = Math.max(0, Math.round(ms / 1000))
  return seconds < 60
    ? `${seconds} s`
    : `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** `update(done, total)` shows percent and the time left; `finish()` closes the line. */
export const startProgress = (label, stream = process.stdout) => {
  const startedAt = Date.now()
  const stepPercent = 10
  const stepsToJudgeBy = 10
  let nextPercent = 0
  let doneAtStart // a resumed build starts above zero, and only what was done since tells the speed

  return {
    update(done, total) {
      doneAtStart ??= done - 1
      const elapsedMs = Date.now() - startedAt
      const percent = Math.floor((100 * done) / total)
      const doneNow = done - doneAtStart
      const leftMs = (elapsedMs * (total - done)) / doneNow
      const left = doneNow < stepsToJudgeBy ? '' : `, about ${formatDuration(leftMs)} left`
      const text = `${label}  ${String(percent).padStart(3)} %  (${done}/${total}${left})`
      if (stream.isTTY) {
        const width = 24
        const filled = Math.round((width * done) / total)
        stream.write(`\r\x1b[2K[${'#'.repeat(filled)}${'-'.repeat(width - filled)}] ${text}`)
      } else if (percent >= nextPercent) {
        nextPercent = percent - (percent % stepPercent) + stepPercent
        stream.write(`${text}\n`)
      }
    },
    finish() {
      stream.write(
        `${stream.isTTY ? '\r\x1b[2K' : ''}${label}  done in ${formatDuration(Date.now() - startedAt)}\n`,
      )
    },
  }
}
