import type { Case, DiagnosedCase } from '../cases'
import type { Diagnosis } from '../run/results'

/** Breathing in differently changes less. */
const usualLungChange = 0.15

/** What makes a comparison less certain, as full sentences that name nobody. */
export async function warningsOf(before: DiagnosedCase, after: DiagnosedCase): Promise<string[]> {
  return [
    ...(await identityWarnings(before.scan, after.scan)),
    ...modelWarnings(before.diagnosis, after.diagnosis),
    ...acquisitionWarnings(before.diagnosis, after.diagnosis),
    ...before.diagnosis.warnings.map((warning) => `Before: ${warning}`),
    ...after.diagnosis.warnings.map((warning) => `After: ${warning}`),
  ]
}

async function identityWarnings(before: Case, after: Case): Promise<string[]> {
  const [was, is] = [await before.study(), await after.study()]
  if (!was || !is) return []
  const warnings: string[] = []
  if (was.PatientID !== '' && is.PatientID !== '' && was.PatientID !== is.PatientID)
    warnings.push('The two cases have different patient IDs: make sure that they are of one patient.')
  if (was.StudyDate !== '' && is.StudyDate !== '' && was.StudyDate > is.StudyDate)
    warnings.push('The case given as the one before has the later study date.')
  return warnings
}

function modelWarnings(before: Diagnosis, after: Diagnosis): string[] {
  const described = ({ models, version }: Diagnosis) =>
    JSON.stringify([version, models.map(({ role, sha256, window }) => [role, sha256, window])])
  return described(before) === described(after)
    ? []
    : ['The two diagnoses were made with different models or versions: differences may be theirs.']
}

function acquisitionWarnings(before: Diagnosis, after: Diagnosis): string[] {
  const warnings: string[] = []
  const [was, is] = [before.involvement!.lungVolumeMl, after.involvement!.lungVolumeMl]
  if (Math.abs(is - was) > usualLungChange * was)
    warnings.push(
      `The lungs measure ${was.toFixed(0)} ml before and ${is.toFixed(0)} ml after: breathing, or what lesions do to them, makes percentages less comparable.`,
    )
  const [stepBefore, stepAfter] = [before.series?.spacingMm?.[2], after.series?.spacingMm?.[2]]
  if (stepBefore && stepAfter && Math.max(stepBefore, stepAfter) > 1.5 * Math.min(stepBefore, stepAfter))
    warnings.push(
      `Slices are ${stepBefore.toFixed(1)} mm apart before and ${stepAfter.toFixed(1)} mm after: small lesions may be seen at one time only.`,
    )
  if (before.series?.kernel !== after.series?.kernel)
    warnings.push('The two series were reconstructed with different kernels.')
  return warnings
}
