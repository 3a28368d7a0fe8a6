import { Command } from 'commander'
import { disclaimer } from '../base/disclaimer'
import { version } from '../base/version'
import { addCalibrate } from './commands/calibrate'
import { addClassify } from './commands/classify'
import { addCompare } from './commands/compare'
import { addCrossValidate } from './commands/cross-validate'
import { addDemo } from './commands/demo'
import { addDevices } from './commands/devices'
import { addDiagnose } from './commands/diagnose'
import { addDoctor } from './commands/doctor'
import { addEvaluate } from './commands/evaluate'
import { addExport } from './commands/export'
import { addInspect } from './commands/inspect'
import { addProfile } from './commands/profile'
import { addQuantize } from './commands/quantize'
import { addReproduce } from './commands/reproduce'
import { addSegment } from './commands/segment'
import { addServe } from './commands/serve'
import { addTrain } from './commands/train'
import { addWatch } from './commands/watch'
import { exitCodesHelp } from './exit-codes'
import type { Session, SessionOptions } from './session'

/** `sessionFor` makes the session of the command that runs, so that a signal can cancel it. */
export function createProgram(sessionFor: (options: SessionOptions) => Session): Command {
  const program = new Command('jcs')
    .description(
      'Joint classification and segmentation of chest CT: trains, classifies, segments, diagnoses.',
    )
    .version(version)
    .showHelpAfterError('(jcs --help, or jcs help <command>, explains)')
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  jcs demo                     trains two small networks on synthetic scans and diagnoses cases they did not see
  jcs doctor                   says whether everything works on this machine, and what to do if not
  jcs help train               every option, with examples
${exitCodesHelp}

${disclaimer}.`,
    )
  addTrain(program, sessionFor)
  addClassify(program, sessionFor)
  addSegment(program, sessionFor)
  addDiagnose(program, sessionFor)
  addWatch(program, sessionFor)
  addServe(program, sessionFor)
  addCompare(program, sessionFor)
  addInspect(program, sessionFor)
  addEvaluate(program, sessionFor)
  addCalibrate(program, sessionFor)
  addQuantize(program, sessionFor)
  addCrossValidate(program, sessionFor)
  addReproduce(program, sessionFor)
  addExport(program)
  addProfile(program)
  addDevices(program)
  addDoctor(program)
  addDemo(program, sessionFor)
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError(`(jcs help ${command.name()} explains)`)
    command.addHelpText('after', `${exitCodesHelp}\n\n${disclaimer}.`)
  }
  return program
}
