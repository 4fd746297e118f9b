import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { authzen } from '@countersign/authzen';
import { cedarFromText, type PolicyEngine, type Resource } from '@countersign/core';
import { opaServer, opaWasm } from '@countersign/opa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostNodeHttp } from '../hosts/node-http.js';
import { Api } from '../support/api.js';
import { findCerbos, startCerbos } from '../support/cerbos.js';
import { findOpa, startOpa } from '../support/opa.js';
import type { Started } from '../support/program.js';
import { policies, reviewerId, schema } from '../support/world.js';

const rego = fileURLToPath(new URL('../../packages/opa/test/policies/world.rego', import.meta.url));
const wasm = fileURLToPath(new URL('../../packages/opa/test/policies/world.wasm', import.meta.url));
const cerbosPolicies = fileURLToPath(new URL('cerbos', import.meta.url));
const opa = findOpa();
const cerbos = findCerbos();

/** A policy server, and its client. */
interface Remote {
  readonly program: string | undefined;
  start(program: string): Promise<Started>;
  engine(url: string): PolicyEngine;
}

interface Candidate {
  readonly name: string;
  readonly make: () => PolicyEngine | Promise<PolicyEngine>;
  readonly remote?: Remote;
  /** The policies in the audit record; undefined if the protocol does not name them. */
  readonly names: readonly string[];
  /** The error of its policies for acme/faulty; undefined if they cannot fail. */
  readonly errs: boolean;
}

/** The error reported by the guard, which is also in the record. */
const onTrouble = () => undefined;
const path = 'countersign/decision';
/** Generous, because a program on a busy machine is slow; a stopped program fails immediately. */
const asked = { timeoutSeconds: 30, failuresBeforeOpen: 1 } as const;
const withUsers = schema.replace('principal: [Agent], resource: [Repo]', 'principal: [Agent, User], resource: [Repo]');
/** A repository that the agent may read and its user may not. */
const bots = `@id("bots") permit(principal == Agent::"${reviewerId}", action == Action::"pr.create", resource == Repo::"acme/bots");
@id("the-user-himself") permit(principal == User::"user_123", action == Action::"pr.create", resource == Repo::"acme/api");
`;
const faulty = `@id("never") forbid(principal, action, resource == Repo::"acme/faulty") when { 9223372036854775807 + 1 > 0 };
@id("faulty") permit(principal, action == Action::"pr.create", resource == Repo::"acme/faulty");`;

const inProcess: readonly Candidate[] = [
  {
    name: 'Cedar',
    make: () => cedarFromText({ policies: policies + bots + faulty, schema: withUsers }),
    names: ['drafts-for-the-user'],
    errs: true,
  },
  {
    name: 'OPA as WebAssembly',
    make: () => opaWasm({ wasm: readFileSync(wasm), entrypoint: path }),
    names: ['drafts-for-the-user'],
    errs: true,
  },
];

const remotes: readonly (Omit<Candidate, 'make'> & { readonly remote: Remote })[] = [
  {
    name: 'an OPA server',
    remote: {
      program: opa,
      start: (program) => startOpa(program, rego),
      engine: (url) => opaServer({ url, path, ...asked }),
    },
    names: ['drafts-for-the-user'],
    errs: true,
  },
  {
    name: 'Cerbos, by AuthZEN',
    remote: {
      program: cerbos,
      start: (program) => startCerbos(program, cerbosPolicies),
      engine: (url) => authzen({ url, ...asked }),
    },
    names: [],
    errs: false,
  },
];

const pulls = (repo: string) => ({ target: `/repos/${repo}/pulls` });

function decides(candidate: Omit<Candidate, 'make' | 'remote'>, api: () => Api, policy: Candidate['make']): void {
  it('allows, and the record names actor, subject and policies', async () => {
    const { records } = await api().accepts(await api().pull(), 201);
    expect(records[0]).toMatchObject({
      phase: 'decision',
      decision: 'allow',
      actor: { id: reviewerId },
      subject: { id: 'user_123' },
      action: 'pr.create',
      resource: { type: 'Repo', id: 'acme/api' },
    });
    const named = records[0]?.policies ?? [];
    expect(named).toHaveLength(candidate.names.length);
    for (const [at, name] of candidate.names.entries()) expect(named[at]).toContain(name);
  });

  it('denies another repository [D14]', async () => {
    await api().denies(await api().pull({}, pulls('acme/web')), 403, 'policy_denied');
  });

  it('denies another user [D14]', async () => {
    await api().denies(await api().pull({ sub: 'user_124' }), 403, 'policy_denied');
  });

  it('denies an insufficient scope [C6]', async () => {
    await api().denies(await api().pull({ scope: 'repo:read' }), 403, 'policy_denied');
  });

  it('allows an agent without its user unless the user must also be permitted', async () => {
    await api().accepts(await api().pull({}, pulls('acme/bots')), 201);
    const guard = { policy: await policy(), onTrouble, subjectMustAlsoBePermitted: true };
    const both = await api().variant({ start: { guard } });
    await both.accepts(await both.pull(), 201);
    await both.denies(await both.pull({}, pulls('acme/bots')), 403, 'policy_denied');
  });

  it('receives names unchanged [D9]', async () => {
    await api().denies(await api().pull({}, pulls('acme/api%22%20%7C%7C%20true')), 403, 'policy_denied');
  });

  if (!candidate.errs) return;
  it('denies when its policies fail, and continues to decide [D1]', async () => {
    for (let turn = 0; turn < 3; turn++) {
      await api().denies(await api().pull({}, pulls('acme/faulty')), 403, 'policy_error');
    }
    await api().accepts(await api().pull(), 201);
  });
}

describe.each(inProcess)('$name decides for a guarded API', ({ make, ...candidate }) => {
  let api: Api;
  beforeAll(async () => {
    api = new Api(hostNodeHttp, { start: { guard: { policy: await make(), onTrouble } } });
    await api.start();
  });
  afterAll(() => api.close());
  decides(candidate, () => api, make);
});

for (const { remote, ...candidate } of remotes) {
  const { program = '' } = remote;
  describe.skipIf(program === '')(`${candidate.name} decides for a guarded API`, () => {
    let api: Api;
    let started: Started;
    beforeAll(async () => {
      started = await remote.start(program);
      api = new Api(hostNodeHttp, { start: { guard: { policy: remote.engine(started.url), onTrouble } } });
      await api.start();
    });
    afterAll(async () => {
      await api.close();
      await started.stop();
    });
    decides(
      candidate,
      () => api,
      () => remote.engine(started.url),
    );

    it('denies with an error when it is asked at the wrong path [D8]', async () => {
      const lost = await api.variant({
        start: { guard: { policy: remote.engine(`${started.url}/nowhere`), onTrouble } },
      });
      await lost.denies(await lost.pull(), 403, 'policy_error');
    });

    it('decides a batch like single requests', async () => {
      const engine = remote.engine(started.url);
      const odd = [{ '': 1 }, { text: 'x'.repeat(5_000_000) }, { text: 'x'.repeat(60_000) }];
      const resources: readonly Resource[] = Array.from({ length: 120 }, (_, at) => ({
        type: 'Repo',
        id: at % 7 === 0 ? 'acme/api' : `acme/repo-${at}`,
        // A server refuses a name that is empty. One message to Cerbos has at most 4 MiB.
        ...(at % 7 === 3 && { attributes: odd[at % 3]! }),
      }));
      const one = {
        principal: { id: reviewerId, roles: [], capabilities: [] },
        action: 'pr.create',
        context: {
          scope: ['pr:write:draft'],
          onBehalfOf: 'user_123',
          depth: 1,
          via: [],
          proof: 'issuer',
          possession: 'signature',
          request: { method: 'POST', path: '/' },
        },
      } as const;
      const each = await Promise.all(resources.map(async (resource) => await engine.decide({ ...one, resource })));
      expect(each.filter(({ decision }) => decision === 'allow')).toHaveLength(18);
      expect(await (engine.decideMany?.(one, resources) ?? each)).toEqual(each);
    });

    it('causes a 503 when it has stopped [D4]', async () => {
      await started.stop();
      for (let turn = 0; turn < 2; turn++) await api.denies(await api.pull(), 503, 'policy_unavailable');
    });
  });
}
