import {
  type ApprovalExclusion,
  approvalExclusions,
  approvalLimits,
  type ApprovalRequirement,
} from '@countersign/approval';
import { failed, type Reading } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { PolicyHead } from './policy-head.js';

export const approvalPrefix = 'approval_';
export const approvalDetails = ['count', 'use_within', 'decide_within', 'reason', 'excludes'] as const;
export const approvalNames: readonly string[] = [
  'approval',
  ...approvalDetails.map((name) => `${approvalPrefix}${name}`),
];
const secondsIn: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** What the annotations of a policy demand before it permits; undefined: nothing. */
export function readApproval({ effect, annotations }: PolicyHead): Reading<ApprovalRequirement | undefined> {
  const given = Object.keys(annotations).filter((name) => approvalNames.includes(name));
  if (given.length === 0) return { ok: true, value: undefined };
  if (effect === 'forbid') return failed('a forbid asks for no approval. Move the @approval annotations to a permit.');
  if (!given.includes('approval')) return failed('it lacks @approval, like @approval("release-managers").');
  const groups = listOf(annotations['approval']);
  if (groups === undefined || groups.length > approvalLimits.groups) {
    return failed('@approval must name who decides, like @approval("release-managers, directors").');
  }
  return requirementOf(groups, (name) => annotations[`${approvalPrefix}${name}`]);
}

type Value = string | null | undefined;

function requirementOf(
  groups: readonly string[],
  annotation: (name: (typeof approvalDetails)[number]) => Value,
): Reading<ApprovalRequirement> {
  const { count, useWithinSeconds, decideWithinSeconds } = approvalLimits;
  const [people, reason, excludes] = [annotation('count'), annotation('reason'), annotation('excludes')];
  if (people !== undefined && !/^[1-9]\d?$/.test(people ?? ''))
    return failed(`@approval_count must be 1 to ${count.most}.`);
  if (Number(people ?? count.byDefault) > count.most) return failed(`@approval_count must be 1 to ${count.most}.`);
  if (reason !== undefined && reason !== 'required' && reason !== 'optional') {
    return failed('@approval_reason must be "required" or "optional".');
  }
  const excluded = excludes === undefined ? [] : listOf(excludes);
  if (excluded === undefined || !excluded.every(isExclusion)) {
    return failed(`@approval_excludes must name some of ${approvalExclusions.join(', ')}.`);
  }
  const use = secondsOf(annotation('use_within'), useWithinSeconds);
  const decide = secondsOf(annotation('decide_within'), decideWithinSeconds);
  if (use === undefined) return failed('@approval_use_within must be a time up to "24h", like "10m".');
  if (decide === undefined) return failed('@approval_decide_within must be a time up to "30d", like "24h".');
  return {
    ok: true,
    value: {
      quorums: [{ groups, count: Number(people ?? count.byDefault) }],
      useWithinSeconds: use,
      decideWithinSeconds: decide,
      reason: reason ?? 'optional',
      excluded: approvalExclusions.filter((each) => excluded.includes(each)),
    },
  };
}

/** Names that are separated by commas. Undefined if it has none, or one that is not. */
function listOf(value: Value): readonly string[] | undefined {
  const names = (value ?? '').split(',').map((name) => name.trim());
  return names.every(isIdentifier) ? [...new Set(names)] : undefined;
}

function isExclusion(name: string): name is ApprovalExclusion {
  return approvalExclusions.some((each) => each === name);
}

function secondsOf(
  value: Value,
  { byDefault, most }: { readonly byDefault: number; readonly most: number },
): number | undefined {
  if (value === undefined) return byDefault;
  const [, amount, unit = ''] = /^([1-9]\d{0,6})([smhd])$/.exec(value ?? '') ?? [];
  const seconds = Number(amount) * (secondsIn[unit] ?? Number.NaN);
  return seconds <= most ? seconds : undefined;
}
