import {
  type ApprovalExclusion,
  approvalExclusions,
  approvalLimits,
  type ApprovalRequirement,
} from '@countersign/approval';
import { failed, type Reading } from '@countersign/common';
import { isIdentifier, spellingHint } from '@countersign/delegation';
import type { PolicyHead } from './policy-head.js';

const prefix = 'approval_';
const details = ['count', 'use_within', 'decide_within', 'reason', 'excludes'] as const;
const names: readonly string[] = ['approval', ...details.map((name) => `${prefix}${name}`)];
const secondsIn: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** What the annotations of a policy demand before it permits; undefined: nothing. A misspelt one would demand nothing, too. */
export function readApproval({ effect, annotations }: PolicyHead): Reading<ApprovalRequirement | undefined> {
  const given = Object.keys(annotations).filter((name) => name !== 'id');
  if (given.length === 0) return { ok: true, value: undefined };
  const misspelt = given.flatMap((name) => misspelling(name, given.includes('approval')));
  if (misspelt[0] !== undefined) return failed(misspelt[0]);
  if (!given.some((name) => names.includes(name))) return { ok: true, value: undefined };
  if (effect === 'forbid') return failed('a forbid asks for no approval. Move the @approval annotations to a permit.');
  if (!given.includes('approval')) return failed('it lacks @approval, like @approval("release-managers").');
  const groups = listOf(annotations['approval']);
  if (groups === undefined || groups.length > approvalLimits.groups) {
    return failed('@approval must name who decides, like @approval("release-managers, directors").');
  }
  return requirementOf(groups, (name) => annotations[`${prefix}${name}`]);
}

function misspelling(name: string, asksApproval: boolean): readonly string[] {
  if (names.includes(name)) return [];
  if (asksApproval && details.some((detail) => detail === name)) {
    return [`@${name} is not known beside @approval. Did you mean '${prefix}${name}'?`];
  }
  const hint = spellingHint(name, names, 'annotations');
  return hint.startsWith('Did') || /approv/i.test(name) ? [`@${name} is not known. ${hint}`] : [];
}

type Value = string | null | undefined;

function requirementOf(
  groups: readonly string[],
  annotation: (name: (typeof details)[number]) => Value,
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
