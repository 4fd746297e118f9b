import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { certificateAuthority, type IssuedCertificate, trustDomain } from '../../../test/support/trust-domain.js';
import { agentsFromSpiffe, type SpiffeAgentsOptions } from '../src/index.js';

const now = Math.floor(Date.now() / 1000);
const domain = trustDomain();

function at(seconds: number): Date {
  return new Date((now + seconds) * 1000);
}

/** The agents of a domain whose bundle the test replaces. */
async function open(first = domain) {
  const folder = await mkdtemp(join(tmpdir(), 'agents-'));
  const file = join(folder, 'bundle.json');
  const replaceBundle = async (next: typeof domain) => await writeFile(file, JSON.stringify(next.bundle()));
  await replaceBundle(first);
  const agents = await agentsFromSpiffe({
    trustDomains: { 'example.org': { file } },
    agents: [{ id: 'spiffe://example.org/agent/*' }],
  });
  onTestFinished(async () => {
    agents.close();
    await rm(folder, { recursive: true });
  });
  const connect = ({ certificate }: Pick<IssuedCertificate, 'certificate'>) => {
    const connection = { getPeerX509Certificate: () => certificate };
    return (at = now) => agents.findByCertificate({ connection, forwarded: [] }, at);
  };
  return { connect, replaceBundle };
}

describe('the answer about a connection', () => {
  it('is kept, also if it is a refusal, until the bundle changes [A14]', async () => {
    const { connect, replaceBundle } = await open();
    const next = trustDomain();
    const [accepted, refused, unnamed] = [
      connect(domain.x509Svid('/agent/a')),
      connect(next.x509Svid('/agent/a')),
      connect(domain.x509Svid('/other')),
    ];
    expect([accepted().kind, refused().kind, unnamed().kind]).toEqual(['found', 'refused', 'refused']);
    for (const look of [accepted, refused, unnamed]) expect(look(now + 60)).toBe(look());
    await replaceBundle(next);
    await vi.waitFor(() => expect([accepted().kind, refused().kind]).toEqual(['refused', 'found']), patiently);
  });

  it('is another one once a certificate begins or ends, and when the clock is set back', async () => {
    const authority = certificateAuthority('example.org', undefined, { notBefore: at(10) });
    const { connect } = await open(trustDomain('example.org', authority));
    const look = connect(authority.issue({ uris: [domain.id('/agent/a')], notBefore: at(20), notAfter: at(30) }));
    const kinds = [0, 10, 19, 20, 29, 30, 25, 5].map((seconds) => look(now + seconds).kind);
    const [refused, found] = ['refused', 'found'];
    expect(kinds).toEqual([refused, refused, refused, found, found, refused, found, refused]);
  });
});

describe('agentsFromSpiffe', () => {
  const trustDomains = { 'example.org': { file: 'bundle.json' } };
  it.each([
    [{ trustDomains }, "'agents' must say"],
    [{ trustDomains, agents: [] }, "'agents' must say"],
    [{ trustDomains, agents: [{ id: 'agent-a' }] }, 'must be a SPIFFE ID'],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org' }] }, 'must be a SPIFFE ID'],
    [{ trustDomains, agents: [{ id: 'spiffe://other.org/a' }] }, "one of 'trustDomains'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', role: 'x' }] }, "Did you mean 'roles'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', roles: 'x' }] }, 'lists of names'],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a', status: 'off' }] }, "'status' is"],
    [{ agents: [{ id: 'spiffe://example.org/a' }] }, "one of 'trustDomains'"],
    [{ trustDomains, agents: [{ id: 'spiffe://example.org/a' }], clock: Date.now }, 'unknown option'],
  ])('is refused with %j [G5]', async (options, problem) => {
    await expect(agentsFromSpiffe(options as unknown as SpiffeAgentsOptions)).rejects.toThrow(problem);
  });
});
