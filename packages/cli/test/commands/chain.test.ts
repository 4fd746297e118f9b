import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, type DelegationBundle, generateAgentKey } from '@countersign/agent';
import { mintDelegation, mintLink } from '@countersign/delegation';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CliResult, nowSeconds, runCli } from '../run-cli.js';

const api = 'https://api.acme.dev';
const keys = { a: generateAgentKey(), b: generateAgentKey(), c: generateAgentKey() };
const issuerKey = generateKeyPairSync('ed25519');
let folder: string;
let token: string;

const file = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-chain-'));
  for (const [name, key] of Object.entries(keys)) {
    writeFileSync(file(`${name}.pem`), key.exportPem(), { mode: 0o600 });
  }
  writeAgents({});
  const jwk = { ...issuerKey.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA' };
  writeFileSync(file('jwks.json'), JSON.stringify({ keys: [jwk] }));
  token = await mintDelegation({
    issuer: 'https://id.acme.dev',
    key: issuerKey.privateKey,
    keyId: 'k1',
    user: 'user_123',
    agent: 'agent-a',
    scope: 'billing:read ticket',
    audience: api,
    lifetimeSeconds: 600,
    now: nowSeconds,
  });
  writeFileSync(file('token.jwt'), `${token}\n`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The agents.json; `b` changes the registration of agent-b. */
function writeAgents(b: object): void {
  const { publicJwk: jwk } = keys.b;
  const agents = [
    keys.a.registration('agent-a', ['billing', 'ticket']),
    { id: 'agent-b', capabilities: ['billing', 'ticket'], keys: [{ jwk, expires: nowSeconds + 7200 }], ...b },
    keys.c.registration('agent-c', ['ticket:create']),
  ];
  writeFileSync(file('agents.json'), JSON.stringify(agents));
}

async function delegate(from: keyof typeof keys, to: string, ...options: string[]): Promise<string> {
  const key = ['--key', file(`${from}.pem`), '--id', `agent-${from}`];
  const { code, out, err } = await runCli(['delegate', ...key, '--to', to, ...options]);
  expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('Send this bundle') as string });
  const name = file(`${from}-${to}.json`);
  writeFileSync(name, out);
  return name;
}

/** user_123 -> agent-a -> agent-b -> agent-c */
async function chainOfThree(): Promise<{ bundle: DelegationBundle; file: string }> {
  const ab = await delegate('a', 'agent-b', '--token', `@${file('token.jwt')}`, '--scope', 'ticket', '--ttl', '120');
  const abc = await delegate('b', 'agent-c', '--bundle', ab, '--scope', 'ticket:create,ticket:read', '--max-hops', '0');
  return { bundle: JSON.parse(readFileSync(abc, 'utf8')) as DelegationBundle, file: abc };
}

const trust = (): string[] => ['--agents', file('agents.json'), '--issuer-jwks', file('jwks.json')];

describe('delegate', () => {
  it('mints links for a token that the delegate can use and delegate further', async () => {
    const { bundle } = await chainOfThree();
    expect(bundle).toMatchObject({ version: 1, token, links: [expect.any(String), expect.any(String)] });
    const agent = await createAgent({ id: 'agent-c', key: keys.c, clock: () => nowSeconds * 1000 });
    const { headers } = await agent.accept(bundle).signRequest({ method: 'GET', url: api });
    expect(headers['agent-delegation']).toBe(bundle.links.join(', '));
  });

  it("delegates the agent's own rights, limited to a resource and a key", async () => {
    const details = [{ type: 'Repo', identifier: 'acme/api' }];
    const options = ['--scope', 'billing:read ticket', '--audience', api, '--details', JSON.stringify(details)];
    await delegate('a', 'agent-b', ...options, '--to-key', keys.b.thumbprint);
    const { out } = await runCli(['inspect', '--json'], { input: bundleText('a-agent-b.json') });
    expect(JSON.parse(out)).toMatchObject({
      kind: 'bundle',
      verified: false,
      members: [
        { id: 'agent-a' },
        { id: 'agent-b', grant: { authorizationDetails: details, boundToKey: keys.b.thumbprint } },
      ],
    });
  });

  it('keeps the limit to a resource in later delegations, and shows it in the summary [C6]', async () => {
    const details = ['--details', '[{"type":"Repo","identifier":"acme/api"}]'];
    const ab = await delegate('a', 'agent-b', '--scope', 'ticket', '--audience', api, ...details);
    const abc = await delegate('b', 'agent-c', '--bundle', ab, '--scope', 'ticket:create');
    const { code, out } = await runCli(['inspect', '--agents', file('agents.json')], {
      input: readFileSync(abc, 'utf8'),
    });
    expect(code).toBe(0);
    const [, summary] = out.split('what the last one may do');
    expect(summary).toMatch(/^ +only +\{"type":"Repo","identifier":"acme\/api"\}$/m);
  });

  it.each<[string, string[], RegExp]>([
    ['a wider scope [C4]', ['--scope', 'payroll', '--token', '@token.jwt'], /'payroll' is not covered/],
    ['no audience', ['--scope', 'ticket'], /say for which API, like --audience/],
    ['a scope that is none [C4]', ['--scope', 'ticket,a::b', '--audience', api], /--scope: 'a::b' is not a scope/],
    [
      'details with a misspelt member [C6]',
      ['--scope', 'ticket', '--audience', api, '--details', '[{"type":"Repo","identifiers":["1"]}]'],
      /--details: unknown member 'identifiers'\. Did you mean 'identifier'\?/,
    ],
    ['details that are none', ['--scope', 'ticket', '--audience', api, '--details', '[]'], /--details: .* 1 to 32/],
    [
      'a wider audience [C6]',
      ['--scope', 'ticket', '--token', '@token.jwt', '--audience', 'https://other.dev'],
      /--audience: It has an audience that/,
    ],
    ['a key that is none', ['--scope', 'ticket', '--audience', api, '--to-key', 'x'], /--to-key: cnf must/],
    ['nobody', ['--scope', 'ticket', '--audience', api, '--to', ''], /--to: sub must be/],
    ['too long [C8]', ['--scope', 'ticket', '--audience', api, '--ttl', '3601'], /--ttl must be .* to 3600/],
    ['a time in words', ['--scope', 'ticket', '--audience', api, '--ttl', 'soon'], /--ttl must be a whole number/],
    ['details that are no JSON', ['--scope', 'ticket', '--audience', api, '--details', '{'], /--details must be JSON/],
    ['token and bundle', ['--scope', 'ticket', '--token', 'x', '--bundle', 'y'], /not both/],
    ['a bundle that is none', ['--scope', 'ticket', '--bundle', '-'], /cannot be accepted/],
  ])('refuses %s, with a word and not a stack', async (_name, options, message) => {
    const given = options.map((option) => (option === '@token.jwt' ? `@${file('token.jwt')}` : option));
    const key = ['--key', file('a.pem'), '--id', 'agent-a', '--to', 'agent-b'];
    const { code, out, err } = await runCli(['delegate', ...key, ...given], { input: '{"version":1}' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
    expect(err.trim().split('\n')).toHaveLength(1);
  });
});

describe('delegate: a token that names no actor', () => {
  it.each([
    ['user_123', 'warning: the token names no actor, and its subject is not acme:agent-a'],
    ['agent-a', ''],
  ])('warns if it is not of the agent, also where an issuer has a namespace: %s [C9]', async (sub, warning) => {
    const payload = part({ iss: 'https://x', sub, aud: api, scope: 'ticket', exp: nowSeconds + 60 });
    const given = `${part({ typ: 'at+jwt', alg: 'EdDSA' })}.${payload}.c2ln`;
    const argv = ['--key', file('a.pem'), '--id', 'acme:agent-a', '--to', 'agent-b', '--token', given];
    const { code, err } = await runCli(['delegate', ...argv, '--scope', 'ticket']);
    expect(code).toBe(0);
    expect(err).toContain(warning);
    expect(err.includes('warning')).toBe(warning !== '');
  });
});

describe('delegate: an audience', () => {
  it.each([
    ['https://api.acme.dev', false],
    ['https://acme.dev/api', false],
    ['http://127.0.0.1:3000', false],
    ['http://[::1]:3000', false],
    ['http://localhost:3000', false],
    ['https://api.acme.dev/', true],
    ['http://api.acme.dev', true],
    ['api.acme.dev', true],
    ['nothing', true],
  ])('that no API goes by of itself is warned of: %s, %s', async (audience, isWarned) => {
    const argv = ['--key', file('a.pem'), '--id', 'agent-a', '--to', 'agent-b', '--scope', 'ticket'];
    const { code, out, err } = await runCli(['delegate', ...argv, '--audience', audience]);
    expect({ code, links: (JSON.parse(out) as DelegationBundle).links.length }).toEqual({ code: 0, links: 1 });
    expect(err.includes(`warning: --audience ${audience}: `)).toBe(isWarned);
  });
});

describe('curl --bundle', () => {
  it('sends the links and the token, signed by the delegate', async () => {
    const { file: bundle } = await chainOfThree();
    const sent: Headers[] = [];
    const fetch = async (_url: unknown, init?: RequestInit): Promise<Response> => {
      sent.push(new Headers(init?.headers));
      return new Response('{}');
    };
    const argv = ['curl', 'GET', `${api}/x`, '--key', file('c.pem'), '--bundle', bundle];
    expect(await runCli(argv, { fetch })).toMatchObject({ code: 0, err: '' });
    expect(sent[0]?.get('authorization')).toBe(`Bearer ${token}`);
    expect(sent[0]?.get('signature-input')).toContain('"agent-delegation"');
  });

  it('sends no request when the bundle is for another agent', async () => {
    const { file: bundle } = await chainOfThree();
    const argv = ['curl', 'GET', `${api}/x`, '--key', file('a.pem'), '--agent', 'agent-a', '--bundle', bundle];
    expect(await runCli(argv)).toMatchObject({ code: 2, err: expect.stringContaining('another agent') as string });
  });
});

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function bundleText(name: string): string {
  return readFileSync(file(name), 'utf8');
}

async function inspectDetails(...details: object[]): Promise<CliResult> {
  const claims = { iss: 'https://x', sub: 'u', aud: api, exp: nowSeconds + 9, act: { sub: 'agent-a' } };
  const payload = part({ ...claims, authorization_details: details });
  return runCli(['inspect', `${part({ typ: 'at+jwt', alg: 'EdDSA' })}.${payload}.c2ln`]);
}

describe('inspect: a chain', () => {
  it('draws the members, proofs, scopes, expiries and revocations of a chain', async () => {
    const { bundle } = await chainOfThree();
    const { code, out, err } = await runCli(['inspect', '-', ...trust()], { input: JSON.stringify(bundle) });
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('Delegation chain: user_123 -> agent-a -> agent-b -> agent-c\n');
    expect(out).not.toContain('NOT VERIFIED');
    expect(out).not.toContain('warnings');
    expect(out.match(/\[ok\] signature verified/g)).toHaveLength(3);
    expect(out).toMatch(/scope +ticket:create ticket:read\n.*effective +ticket:create\n/);
    expect(out).toContain('2026-11-24T12:02:00Z (in 2 minutes), given for 2 minutes');
    expect(out).toMatch(/hand on +not at all/);
    expect(out).toMatch(/hand it on +not at all +\(by the max_hops of what was given\)/);
    expect(out).toMatch(/key ends +\S{43} of agent-b +2026-11-24T14:00:00Z \(in 2 hours\)/);
    for (const revoked of ['subject user_123 of issuer https://id.acme.dev', 'agent agent-b', 'issuer https://id']) {
      expect(out).toMatch(new RegExp(`revoking +${revoked}`));
    }
    expect(out).toMatch(/another API +any but https:\/\/api\.acme\.dev/);
  });

  it('prints the same facts as JSON', async () => {
    const { bundle } = await chainOfThree();
    const { out } = await runCli(['inspect', '-', '--json', ...trust()], { input: JSON.stringify(bundle) });
    expect(JSON.parse(out)).toMatchObject({
      verified: true,
      capabilitiesKnown: true,
      effectiveScope: ['ticket:create'],
      audience: [api],
      expiresAt: nowSeconds + 120,
      hopsLeft: 0,
      ok: true,
      problems: [],
      members: [{ role: 'subject' }, { role: 'delegator' }, { role: 'delegator' }, { role: 'actor' }],
    });
  });

  it('says that revoking what a token was exchanged from ends the chain [C7]', async () => {
    const payload = part({
      iss: 'https://id.acme.dev',
      sub: 'u',
      aud: api,
      exp: nowSeconds + 9,
      act: { sub: 'agent-a' },
      ancestors: [{ jti: 'token-1', jkt: keys.b.thumbprint }, { iss: 'https://login.acme.dev' }],
    });
    const { out } = await runCli(['inspect', `${part({ typ: 'at+jwt', alg: 'EdDSA' })}.${payload}.c2ln`]);
    expect(out).toContain('delegation token-1 of issuer https://id.acme.dev');
    expect(out).toContain(`key ${keys.b.thumbprint}`);
    expect(out).toContain('issuer https://login.acme.dev');
  });

  it('reports unverified signatures when no key files are given', async () => {
    const { bundle } = await chainOfThree();
    const { out } = await runCli(['inspect'], { input: JSON.stringify(bundle) });
    expect(out).toContain('NOT VERIFIED: anyone could have written this');
    expect(out).not.toContain('[ok]');
    expect(out).toContain('not all capabilities are known');
  });

  it('verifies a whole request head', async () => {
    const { bundle } = await chainOfThree();
    const agent = await createAgent({ id: 'agent-c', key: keys.c, clock: () => nowSeconds * 1000 });
    const { headers } = await agent.accept(bundle).signRequest({ method: 'GET', url: `${api}/tickets?open=1` });
    const lines = Object.entries({ Host: 'api.acme.dev', ...headers }).map(([name, value]) => `> ${name}: ${value}`);
    const head = (line: string): string => [`> ${line}`, ...lines, '>'].join('\r\n');
    const good = await runCli(['inspect', '-', ...trust()], { input: head('GET /tickets?open=1 HTTP/1.1') });
    expect(good.out).toContain(`request    [ok] signature verified, key ${keys.c.thumbprint}`);
    expect(good.out).not.toContain('warnings');
    const bad = await runCli(['inspect', '-', ...trust()], { input: head('DELETE /tickets?open=1 HTTP/1.1') });
    expect([good.code, bad.code]).toEqual([0, 3]);
    expect(bad.out).toMatch(/NOT VERIFIED[^]*request +\[NO\] signature does NOT count[^]*The signature of the request/);
  });

  it('draws the chain of a token below its claims', async () => {
    const { out } = await runCli(['inspect', token, ...trust()]);
    expect(out).toContain('JSON Web Token');
    expect(out).not.toContain('NOT verified');
    expect(out).toMatch(/└─ agent-a {2}\(acts: must sign the request\)/);
  });

  it.each<[string, (bundle: DelegationBundle) => DelegationBundle, object, RegExp]>([
    [
      'links out of order [C2]',
      (b) => ({ ...b, links: b.links.toReversed() }),
      {},
      /refuses the chain: actor_mismatch/,
    ],
    ['a link left out [C1]', (b) => ({ ...b, links: b.links.slice(1) }), {}, /refuses the chain: actor_mismatch/],
    ['a token changed [B1]', (b) => ({ ...b, token: `${token.slice(0, -8)}AAAAAAAA` }), {}, /signature of the token/],
    ['a link changed', (b) => ({ ...b, links: [`${b.links[0]?.slice(0, -8)}AAAAAAAA`] }), {}, /Link 1: its signature/],
    ['a suspended agent', (b) => b, { status: 'suspended' }, /Link 2: the agent that signed it is suspended/],
    [
      'a key that ended',
      (b) => b,
      { keys: [{ jwk: keys.b.publicJwk, expires: 1 }] },
      /Link 2: the key .* not valid now/,
    ],
    ['an unknown key', (b) => b, { keys: [{ jwk: generateAgentKey().publicJwk }] }, /Link 2: the key .* not in the/],
    ['no link', (b) => ({ ...b, links: [] }), {}, /It holds no link/],
    ['a link that is none', (b) => ({ ...b, links: ['a.b.c'] }), {}, /Link 1: a guard refuses its claims/],
  ])('says what is wrong: %s', async (_name, spoil, registration, warning) => {
    const { bundle } = await chainOfThree();
    writeAgents(registration);
    const { code, out } = await runCli(['inspect', '-', ...trust()], { input: JSON.stringify(spoil(bundle)) });
    writeAgents({});
    expect(code).toBe(3);
    expect(out).toMatch(warning);
  });

  it('marks details with unknown members [C6]', async () => {
    const [known, misspelt] = [
      { type: 'Repo', identifier: '1' },
      { type: 'Repo', identifiers: ['1'] },
    ];
    const mark = '{"type":"Repo","identifiers":["1"]} [NO] covers nothing: identifiers unknown';
    expect(await inspectDetails(known)).toMatchObject({ code: 0, out: expect.not.stringContaining('[NO]') as string });
    expect(await inspectDetails(known, misspelt)).toMatchObject({
      code: 0,
      out: expect.stringContaining(mark) as string,
    });
    const { code, out } = await inspectDetails(misspelt);
    expect(code).toBe(3);
    expect(out).toMatch(/! The token: its authorization_details cover nothing: .* \(identifiers\)/);
  });

  it('names an agent that appears twice [C1]', async () => {
    const ab = await delegate('a', 'agent-b', '--token', `@${file('token.jwt')}`, '--scope', 'ticket', '--ttl', '120');
    const { links } = JSON.parse(readFileSync(ab, 'utf8')) as DelegationBundle;
    const back = await mintLink({
      delegator: 'agent-b',
      signer: keys.b,
      delegate: 'agent-a',
      parent: String(links[0]),
      scope: 'ticket',
      audience: api,
      lifetimeSeconds: 60,
      now: nowSeconds,
    });
    const input = JSON.stringify({ version: 1, token, links: [...links, back] });
    const { code, out } = await runCli(['inspect', '-', ...trust()], { input });
    expect({ code, out }).toMatchObject({ code: 3, out: expect.stringContaining('It is agent-a.') as string });
    const argv = ['--key', file('b.pem'), '--id', 'agent-b', '--to', 'agent-a', '--bundle', ab, '--scope', 'ticket'];
    expect((await runCli(['delegate', ...argv])).err).toMatch(/appears twice in the chain: agent-a\.\n/);
  });

  it('reports a link when its lifetime exceeds the limit of a guard [B6]', async () => {
    const link = await mintLink({
      delegator: 'agent-a',
      signer: keys.a,
      delegate: 'agent-b',
      scope: 'ticket',
      audience: api,
      lifetimeSeconds: 3601,
      now: nowSeconds,
    });
    const { code, out } = await runCli(['inspect', link, ...trust()]);
    expect(code).toBe(3);
    expect(out).toContain('! Link 1 was issued for too long a time');
  });

  it('exits with 0 when there is no problem, verified or not', async () => {
    const { bundle } = await chainOfThree();
    const input = JSON.stringify(bundle);
    for (const options of [trust(), []]) {
      const { code, out } = await runCli(['inspect', '-', '--json', ...options], { input });
      expect({ code, json: JSON.parse(out) as object }).toMatchObject({
        code: 0,
        json: { ok: true, verified: options.length > 0 },
      });
    }
  });

  it('names the expired parts', async () => {
    const { bundle } = await chainOfThree();
    const later = nowSeconds + 300;
    const { code, out } = await runCli(['inspect', '-', ...trust()], {
      input: JSON.stringify(bundle),
      clock: () => later * 1000,
    });
    expect(code).toBe(3);
    expect(out).toContain('! Link 1 has expired.');
    expect(out).toContain('(3 minutes ago)');
  });

  it('escapes control characters, as text and as JSON [F1]', async () => {
    const payload = { iss: 'https://x', sub: 'u', aud: 'https://a', exp: nowSeconds + 9, act: { sub: 'a' } };
    const details = { authorization_details: [{ type: 'T', note: '\u001b[2J\u202e\u{e0001}' }] };
    const hostile = `${part({ typ: 'at+jwt', alg: 'EdDSA' })}.${part({ ...payload, ...details })}.c2ln`;
    const input = JSON.stringify({ version: 1, token: hostile, links: [] });
    for (const options of [[], ['--json']]) {
      const { code, out } = await runCli(['inspect', '-', ...options], { input });
      expect(code).toBe(3);
      expect(out).toMatch(/u\{?(?:202e|001b|1b)/);
      expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
  });

  it('never throws on input that is not a chain', async () => {
    const bundles = fc.record({ version: fc.anything(), token: fc.anything(), links: fc.array(fc.anything()) });
    const requests = fc.string().map((text) => `GET / HTTP/1.1\nAuthorization: ${text}\nAgent-Delegation: ${text}`);
    const input = fc.oneof(
      bundles.map((value) => JSON.stringify(value)),
      requests,
    );
    await fc.assert(
      fc.asyncProperty(input, async (text) => {
        const { code, err } = await runCli(['inspect', '-', ...trust()], { input: text });
        expect([0, 2, 3]).toContain(code);
        expect(err.split('\n').length).toBeLessThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['names the keys', [{ kid: 'k2' }, { kid: 'k3' }], ': its kid k1 is none of theirs, which are k2, k3.'],
    ['says that the keys have none', [{}], ': its kid k1 is none of theirs: they have none.'],
    ['says no more', [{ kid: 'k1' }], '.'],
  ])('%s when no key has the kid of a token', async (_name, kids, reason) => {
    const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
    writeFileSync(file('other-jwks.json'), JSON.stringify({ keys: kids.map((kid) => ({ ...jwk, ...kid })) }));
    const { code, out } = await runCli(['inspect', token, '--issuer-jwks', file('other-jwks.json')]);
    expect(code).toBe(3);
    expect(out.replaceAll(/\s+/g, ' ')).toContain(
      `The signature of the token does not verify with the given keys${reason}`,
    );
  });

  it('shows a kid that is no text as what it is', async () => {
    const [, ...rest] = token.split('.');
    const header = { typ: 'at+jwt', alg: 'EdDSA', kid: { toString: '\u001b[2J' } };
    const odd = [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.');
    const { code, out } = await runCli(['inspect', odd, '--issuer-jwks', file('jwks.json')]);
    expect({ code, out }).toEqual({ code: 3, out: expect.stringContaining('its kid {"toString":') });
    // eslint-disable-next-line no-control-regex
    expect(out).not.toMatch(/\x1b/);
  });

  it.each(['--agents', '--issuer-jwks'])('%s: reports an invalid file', async (option) => {
    writeFileSync(file('wrong.json'), '{"a":1}');
    const { code, err } = await runCli(['inspect', token, option, file('wrong.json')]);
    expect({ code, named: err.includes(option) }).toEqual({ code: 2, named: true });
  });
});
