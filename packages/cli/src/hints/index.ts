import { type RefusalCode, refusalCodes } from '@countersign/core';
import { delegationHints } from './delegation.js';
import type { Hint } from './hint.js';
import { operatorHints } from './operator.js';
import { permissionHints } from './permission.js';
import { proofHints } from './proof.js';

/** For every refusal code: its cause, and what to do. The site has a page for each. */
export const hints: Readonly<Record<RefusalCode, Hint>> = {
  ...proofHints,
  ...delegationHints,
  ...permissionHints,
  ...operatorHints,
};

/** The hint for a refusal code as one text; undefined if the code is unknown. */
export function hintFor(code: unknown): string | undefined {
  const known = refusalCodes.find((one) => one === code);
  return known === undefined ? undefined : `${hints[known].cause} ${hints[known].fix}`;
}
