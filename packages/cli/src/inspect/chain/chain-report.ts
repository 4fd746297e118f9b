import { duration, moment, printable } from '../../text.js';
import { guardDefaults } from '@countersign/common';
import type { Report, Row, Section } from '../report.js';
import type { Proof } from './credentials.js';
import type { ChainFacts, Grant, Member } from './facts.js';
import { detailText } from './unknown-details.js';

/** Draws a chain: its members, their proofs, the scope of each, and the revocations that would end it. */
export function chainReport(facts: ChainFacts): Report {
  const { members, verified, problems } = facts;
  const names = members.map(({ id }) => printable(id)).join(' -> ');
  return {
    title: names === '' ? 'Delegation chain' : `Delegation chain: ${names}`,
    ...(verified ? {} : { caution: cautionOf(facts) }),
    sections: [
      { heading: 'who, how proved, and what each was given', rows: [], lines: treeOf(facts) },
      { heading: 'what the last one may do', rows: members.length === 0 ? [] : effectRows(facts) },
      { heading: 'what would break it', rows: members.length === 0 ? [] : breakRows(facts) },
    ],
    warnings: problems.map(printable),
  };
}

function cautionOf({ members, signature }: ChainFacts): string {
  const proofs = [
    ...members.flatMap(({ grant }) => grant?.proof ?? []),
    ...(signature === undefined ? [] : [signature.proof]),
  ];
  if (proofs.includes('invalid')) return 'NOT VERIFIED: a signature does not verify. See the warnings.';
  const some = proofs.includes('verified')
    ? 'Not every signature was verified'
    : 'NOT VERIFIED: anyone could have written this';
  return `${some} (--agents verifies links and requests, --issuer-jwks tokens).`;
}

function treeOf({ members, now, signature }: ChainFacts): string[] {
  const lines: string[] = [];
  for (const [depth, member] of members.entries()) {
    const indent = '   '.repeat(Math.max(0, depth - 1));
    const last = depth === members.length - 1;
    lines.push(`  ${depth === 0 ? '' : `${indent}└─ `}${printable(member.id)}  (${roleOf(member, depth, last)})`);
    const below = `  ${depth === 0 ? '' : `${indent}   `}${last ? '   ' : '│  '}`;
    const rows = [...grantRows(member, now), ...(last && signature !== undefined ? [signatureRow(signature)] : [])];
    const width = Math.max(0, ...rows.map(([name]) => name.length));
    lines.push(...rows.map(([name, value]) => `${below}${name.padEnd(width)}  ${value}`));
  }
  return lines;
}

function roleOf({ role, grant }: Member, depth: number, last: boolean): string {
  if (last && depth === 0) return grant === undefined ? 'acts for itself' : 'acts itself: the token names no actor';
  if (role === 'subject') return grant === undefined ? 'on whose behalf' : 'hands on what it was given itself';
  if (grant === undefined && role === 'delegator') return 'hands on what it may do of its own';
  if (role === 'earlier actor') return 'acted before; history, which permits nothing';
  return last ? 'acts: must sign the request' : 'hands on';
}

function grantRows({ grant, capabilities }: Member, now: number): Row[] {
  const held: Row[] = capabilities === undefined ? [] : [['may ever', scopeText(capabilities)]];
  if (grant === undefined) return held;
  const { keyId, scope, effectiveScope, expiresAt, issuedAt, audience, maxHops, boundToKey, authorizationDetails } =
    grant;
  const lifetime = issuedAt === undefined ? '' : `, given for ${duration(expiresAt - issuedAt)}`;
  return [
    ['given by', givenBy(grant)],
    ...(keyId === undefined ? [] : [['signed by', `key ${printable(keyId)}`] as const]),
    ['proof', proofTexts[grant.proof]],
    ['scope', scopeText(scope)],
    ...(String(scope.toSorted()) === String(effectiveScope.toSorted())
      ? []
      : [['effective', scopeText(effectiveScope)] as const]),
    ['expires', moment(expiresAt, now) + lifetime],
    ['audience', printable(audience.join(', '))],
    ...onlyRows(authorizationDetails),
    ...(boundToKey === undefined ? [] : [['only key', boundToKey] as const]),
    ...(maxHops === undefined ? [] : [['hand on', times(maxHops)] as const]),
    ...held,
  ];
}

function onlyRows(details: Grant['authorizationDetails']): Row[] {
  return details === undefined ? [] : [['only', details.map(detailText).join(' or ')]];
}

const proofTexts: Readonly<Record<Proof, string>> = {
  verified: '[ok] signature verified',
  invalid: '[NO] signature does NOT count',
  unchecked: '[??] not verified',
};

function givenBy({ by, from, id }: Grant): string {
  const named = id === undefined ? by : `${by} ${printable(id)}`;
  return `${named} of ${printable(from)}`;
}

function signatureRow({ keyId, proof }: NonNullable<ChainFacts['signature']>): Row {
  return ['request', `${proofTexts[proof]}${keyId === undefined ? '' : `, key ${printable(keyId)}`}`];
}

function effectRows(facts: ChainFacts): Row[] {
  const { members, effectiveScope, capabilitiesKnown, audience, hopsLeft, expiresAt, now } = facts;
  // The nearest details lie within all before them, and also bind later members without details.
  const limits = members.findLast(({ grant }) => grant?.authorizationDetails !== undefined)?.grant;
  const most = capabilitiesKnown ? 'what all hops and capabilities leave' : 'at most: not all capabilities are known';
  return [
    ['scope', scopeText(effectiveScope), `(${most})`],
    ...onlyRows(limits?.authorizationDetails),
    ['at', printable(audience.join(', '))],
    ...(expiresAt === undefined ? [] : [['until', moment(expiresAt, now)] as const]),
    ['hand it on', times(hopsLeft), limitOfHops(facts)],
  ];
}

function limitOfHops({ hopsLeft, members }: ChainFacts): string {
  const acceptedAfter = Math.max(0, guardDefaults.maxDelegationDepth - (members.length - 1));
  if (hopsLeft < acceptedAfter) return '(by the max_hops of what was given)';
  return `(if the API accepts ${guardDefaults.maxDelegationDepth} delegations, the default)`;
}

function breakRows(facts: ChainFacts): Row[] {
  const { expiresAt, endingKeys, revocable, audience, hopsLeft, now } = facts;
  return [
    ...(expiresAt === undefined ? [] : [['time', moment(expiresAt, now), '(the first delegation ends)'] as const]),
    ...endingKeys.map(({ agent, keyId, expiresAt: end }): Row => {
      return ['key ends', `${keyId} of ${printable(agent)}`, moment(end, now)];
    }),
    ...revocable.map(
      (one): Row => [
        'revoking',
        printable(
          Object.entries(one)
            .map(([kind, id]) => `${kind} ${id}`)
            .join(' of '),
        ),
      ],
    ),
    ['another API', `any but ${printable(audience.join(', '))}`],
    ...(hopsLeft === 0 ? [['one more hop', 'it may not be handed on'] as const] : []),
  ];
}

function scopeText(scope: readonly string[]): string {
  return scope.length === 0 ? 'nothing' : printable(scope.join(' '));
}

function times(count: number): string {
  return count === 0 ? 'not at all' : `${count} more time${count === 1 ? '' : 's'}`;
}

/** The sections below another report, such as the report of the first token. */
export function chainSections(facts: ChainFacts): readonly Section[] {
  return chainReport(facts).sections;
}
