import { readFileSync } from 'node:fs';
import { approvalLimits, breakGlassSeconds, maxApprovalLength } from '@countersign/approval';
import {
  clientClock,
  credentialFields,
  guardDefaults,
  guardMaxima,
  mcpFields,
  mcpParameterPrefix,
  methodOverrideFields,
  profileTag,
  requiredParameters,
  targetComponents,
  wireBounds,
} from '@countersign/common';
import { LIMITS } from '@countersign/signature';
import { describe, expect, it } from 'vitest';

const page = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const options = page('docs/reference/options.md');
const profile = page('docs/reference/wire-profile.md');
const approvals = page('docs/reference/approvals.md');
const wireAgents = page('docs/reference/wire-agents.md');
const otherProofs = page('docs/reference/wire-other-proofs.md');

/** The cells of the table row with this first cell. */
function rowOf(text: string, first: string): readonly string[] {
  const rows = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  return rows.find(([, cell]) => cell === first)?.slice(1, -1) ?? [];
}

/** The doc comment of an optional option. */
const commentOf = (source: string, option: string): string =>
  new RegExp(String.raw`/\*\*((?:(?!\*/).)*)\*/\s*readonly ${option}\?`, 's').exec(source)?.[1] ?? '';

const quoted = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');
const kib = (length: number): string => `${length / 1024} KiB`;
const grouped = (count: number): string => count.toLocaleString('en');
const hours = new Map([[3600, 'one hour']]);
const words = new Map([[5, 'five']]);

describe('the defaults in the tables of options are those of the code', () => {
  it.each<[string, number | string]>([
    ['maxAgeSeconds', guardDefaults.maxAgeSeconds],
    ['clockSkewSeconds', guardDefaults.clockSkewSeconds],
    ['maxDelegationDepth', guardDefaults.maxDelegationDepth],
    ['maxLinkLifetimeSeconds', guardDefaults.maxLinkLifetimeSeconds],
    ['maxLifetimeSeconds', guardDefaults.maxTokenLifetimeSeconds],
    ['lookupTimeoutSeconds', guardDefaults.lookupTimeoutSeconds],
    ['bodyTimeoutSeconds', guardDefaults.bodyTimeoutSeconds],
    ['maxBodyBytes', `${guardDefaults.maxBodyBytes / 1024 ** 2} MiB`],
    ['memoryBodyBytes', `${guardDefaults.memoryBodyBytes / 1024 ** 2} MiB`],
  ])('%s', (name, value) => {
    expect(rowOf(options, `\`${name}\``).at(-1)).toBe(String(value));
  });

  it('the depth has the range of the table', () => {
    expect(rowOf(options, '`maxDelegationDepth`')[1]).toContain(`0 to ${guardMaxima.maxDelegationDepth}.`);
  });

  it.each<[string, string]>([
    ['lifetimeSeconds', String(guardDefaults.maxAgeSeconds)],
    ['maxBodyBytes', `${guardDefaults.maxBodyBytes / 1024 ** 2} MiB`],
  ])('%s of an agent', (name, value) => {
    expect(rowOf(page('packages/agent/README.md'), `\`${name}\``)[1]).toBe(value);
  });
});

describe('the doc comments of options state the defaults of the code', () => {
  const guardOptions = page('packages/core/src/options/guard-options.ts');

  it.each([
    'maxAgeSeconds',
    'clockSkewSeconds',
    'maxDelegationDepth',
    'maxLinkLifetimeSeconds',
    'lookupTimeoutSeconds',
    'bodyTimeoutSeconds',
  ] as const)('%s', (name) => {
    expect(commentOf(guardOptions, name)).toContain(`Default ${guardDefaults[name]}.`);
  });

  it.each<[string, string, number]>([
    ['packages/core/src/stages/token/issuers.ts', 'maxLifetimeSeconds', guardDefaults.maxTokenLifetimeSeconds],
    ['packages/core/src/stages/possession/dpop-options.ts', 'maxAgeSeconds', guardDefaults.maxAgeSeconds],
    ['packages/core/src/stages/possession/by-web-bot-auth.ts', 'maxAgeSeconds', guardDefaults.webBotAuthMaxAgeSeconds],
    ['packages/agent/src/options.ts', 'lifetimeSeconds', guardDefaults.maxAgeSeconds],
  ])('%s: %s', (path, name, value) => {
    expect(commentOf(page(path), name)).toMatch(new RegExp(String.raw`Default ${value}[.,]`));
  });
});

describe('the wire profile states the constants of the code', () => {
  it('names tag, parameters, components and fields', () => {
    expect(profile).toContain(`**One signature carries the tag \`${profileTag}\`.**`);
    expect(profile).toContain(
      `${quoted(requiredParameters.slice(0, -1))} and \`${requiredParameters.at(-1)}\` are required`,
    );
    expect(profile).toContain(`${quoted(targetComponents.slice(0, -1))} and \`${targetComponents.at(-1)}\``);
    expect(profile).toContain(`it MUST be covered: ${quoted(credentialFields)}.`);
    expect(profile).toContain(
      `${quoted(mcpFields)} and, beside \`mcp-method\`, every field \`${mcpParameterPrefix}*\``,
    );
    const [first = '', second = '', third = ''] = methodOverrideFields.map((name) => `\`${name}\``);
    expect(profile).toContain(`${first}, ${second} and ${third}`);
    const [token, link, approval] = credentialFields.map((name) =>
      name.replaceAll(/\b[a-z]/g, (at) => at.toUpperCase()),
    );
    expect(profile).toContain(`\`${token}\`, \`${link}\` or \`${approval}\` over plain http`);
  });

  it('states ages, lifetimes and lengths', () => {
    const { maxAgeSeconds, clockSkewSeconds, webBotAuthMaxAgeSeconds } = guardDefaults;
    expect(profile).toContain(`older than ${maxAgeSeconds} seconds is refused`);
    expect(profile).toContain(`more than ${clockSkewSeconds} seconds in the future`);
    for (const text of [profile, wireAgents]) {
      expect(text).toContain(`more than ${clientClock.maxForwardSeconds} seconds ahead of its own clock`);
    }
    expect(profile).toContain(`${wireBounds.minNonceLength} to ${wireBounds.maxNonceLength} characters`);
    expect(rowOf(profile, '`exp`')[1]).toContain(`at most ${hours.get(guardDefaults.maxTokenLifetimeSeconds)} unless`);
    expect(rowOf(profile, '`iat`, `exp`')[1]).toContain(
      `At most ${hours.get(guardDefaults.maxLinkLifetimeSeconds)} apart unless`,
    );
    expect(profile).toContain(`at most ${words.get(guardDefaults.maxDelegationDepth)} delegations`);
    expect(rowOf(otherProofs, '`iat`')[1]).toContain(
      `at most ${maxAgeSeconds} seconds ago, and at most ${clockSkewSeconds} in the future`,
    );
    expect(rowOf(otherProofs, '`jti`')[1]).toContain(
      `${wireBounds.minNonceLength} to ${wireBounds.maxNonceLength} char`,
    );
    expect(otherProofs).toContain(`refused ${webBotAuthMaxAgeSeconds} seconds after \`created\``);
  });

  it('states what an approval may be and demand at most', () => {
    expect(approvals).toContain(`at most ${grouped(maxApprovalLength)} characters`);
    expect(approvals).toContain(`at most ${breakGlassSeconds} seconds`);
    const guide = page('docs/guides/approvals.md');
    const { count, useWithinSeconds, decideWithinSeconds } = approvalLimits;
    expect(rowOf(guide, '`@approval_count("2")`')[2]).toBe(String(count.byDefault));
    expect(rowOf(guide, '`@approval_use_within("10m")`')).toEqual([
      expect.any(String),
      expect.stringContaining(`up to \`${useWithinSeconds.most / 3600}h\``),
      `\`${useWithinSeconds.byDefault / 60}m\``,
    ]);
    expect(rowOf(guide, '`@approval_decide_within("24h")`')).toEqual([
      expect.any(String),
      expect.stringContaining(`up to \`${decideWithinSeconds.most / 86_400}d\``),
      `\`${decideWithinSeconds.byDefault / 3600}h\``,
    ]);
  });

  it('states the bounds of the signature fields', () => {
    const parts = `${LIMITS.parts} keys, items and inner lists`;
    expect(rowOf(profile, '`Signature` and `Signature-Input` together')[1]).toBe(
      `${grouped(LIMITS.signatureFieldsLength)} characters`,
    );
    expect(rowOf(profile, 'signatures in a request')[1]).toBe(String(LIMITS.signatures));
    expect(rowOf(profile, 'components of a signature')[1]).toBe(String(LIMITS.components));
    expect(rowOf(profile, 'parameters of a component')[1]).toBe(String(LIMITS.componentParameters));
    expect(rowOf(profile, 'keys, items and inner lists in `Signature-Input`; the same in `Signature`')[1]).toBe(
      String(LIMITS.parts),
    );
    expect(rowOf(profile, 'fields covered with `;sf` or `;key`, all together')[1]).toBe(
      `${grouped(LIMITS.structuredFieldsLength)} characters, ${parts}`,
    );
    expect(rowOf(profile, 'the query, if a `@query-param` is covered')[1]).toBe(
      `${grouped(LIMITS.queryLength)} characters, ${LIMITS.queryParameters} parameters`,
    );
  });

  it('states the bounds of a request', () => {
    const { fieldsLength, fieldLines, tokenLength, linkLength, dpopProofLength } = wireBounds;
    expect(rowOf(profile, 'target and fields of a request, whatever is signed')[1]).toBe(
      `${kib(fieldsLength)} (\`fields_too_large\`)`,
    );
    expect(profile).toContain(
      `More than ${fieldLines} field lines, more than ${kib(fieldsLength)} of target and fields`,
    );
    expect(rowOf(profile, 'the access token, a link, a DPoP proof')[1]).toBe(
      [tokenLength, linkLength, dpopProofLength].map(kib).join(', '),
    );
  });
});
