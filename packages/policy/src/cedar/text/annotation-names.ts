import { spellingHint } from '@countersign/delegation';
import { approvalDetails, approvalNames, approvalPrefix } from './approval-annotations.js';

const known: readonly string[] = ['id', 'expires', ...approvalNames];

/** For people who read policies. */
const texts = /^(?:description|note|note_\w+)$/;

/** Why a policy has an annotation that means nothing here; undefined if it has none. A misspelt one would demand nothing. */
export function annotationProblem(annotations: object): string | undefined {
  const unknown = Object.keys(annotations).find((name) => !known.includes(name) && !texts.test(name));
  if (unknown === undefined) return undefined;
  const detail = approvalDetails.find((name) => name === unknown);
  const hint =
    detail === undefined ? spellingHint(unknown, known, 'annotations') : `Did you mean '${approvalPrefix}${detail}'?`;
  return `@${unknown} is not known. ${hint} What people read is in @description, @note or a name that begins with note_.`;
}
