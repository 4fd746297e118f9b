import {
  agentsFromDatabase,
  agentsFromJwks,
  agentsFromObjects,
  agentsFromSignatureDirectory,
  combine,
} from '@countersign/core';
import type { RequestListener } from 'node:http';
import { expect, it } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { down, hostile, json, loopback, startKeyServer } from '../support/key-server.js';
import { keyNamed } from '../support/keys.js';
import { agents, partner, reviewer, reviewerId, runner, runnerId, stranger } from '../support/world.js';

const reviewerJwk = { ...reviewer.publicJwk, agent_id: reviewerId };
const runnerJwk = { ...runner.publicJwk, agent_id: runnerId };

onEveryHost('Agents that change while the API runs', (api) => {
  it('are refused from the next request when suspended, and accepted when resumed [C7]', async () => {
    const registry = agentsFromObjects(agents);
    const guarded = await api.variant({ start: { guard: { agents: registry } } });
    await guarded.accepts(guarded.signed(), 200);
    registry.suspend(reviewerId);
    await guarded.refuses(guarded.signed(), 401, 'agent_suspended');
    await guarded.refuses(await guarded.pull(), 401, 'agent_suspended');
    await guarded.accepts(guarded.signed({ key: runner }), 200);
    registry.resume(reviewerId);
    await guarded.accepts(await guarded.pull(), 201);
  });

  it('end every chain in which an issuer only asserts them as a delegator when suspended [C7]', async () => {
    const registry = agentsFromObjects(agents);
    const guarded = await api.variant({ start: { guard: { agents: registry } } });
    const act = { sub: reviewerId, act: { sub: 'agent-elsewhere', act: { sub: runnerId } } };
    const requests = [await guarded.token({ act }), await guarded.token({ act }, {}, partner)].map(
      (token) => () => guarded.signed({ token }),
    );
    for (const request of requests) await guarded.accepts(request(), 200);
    registry.suspend(runnerId);
    for (const request of requests) await guarded.refuses(request(), 401, 'delegation_revoked');
    await guarded.accepts(await guarded.pull(), 201);
    registry.resume(runnerId);
    for (const request of requests) await guarded.accepts(request(), 200);
  });

  it('are accepted by both keys during a rotation, then only by the new one [C7]', async () => {
    const registry = agentsFromObjects(agents);
    const guarded = await api.variant({ start: { guard: { agents: registry } } });
    await guarded.refuses(guarded.signed({ key: stranger }), 401, 'key_unknown');
    registry.addKey(reviewerId, { jwk: stranger.publicJwk });
    await guarded.accepts(guarded.signed({ key: stranger }), 200);
    await guarded.accepts(guarded.signed(), 200);
    registry.expireKey(reviewer.thumbprint, Math.floor(Date.now() / 1000));
    await guarded.refuses(guarded.signed(), 401, 'key_not_valid');
    registry.removeKey(reviewer.thumbprint);
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
    await guarded.accepts(await guarded.pull({}, { key: stranger }), 201);
  });

  it('are accepted when registered, and refused when removed [C7]', async () => {
    const registry = agentsFromObjects([]);
    const guarded = await api.variant({ start: { guard: { agents: registry } } });
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
    registry.register({ id: reviewerId, publicKey: reviewer.publicBase64 });
    await guarded.accepts(guarded.signed(), 200);
    registry.remove(reviewerId);
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
  });
});

onEveryHost('Keys of agents from a server', (api) => {
  it(`a server that ${hostile.map(([title]) => title).join(', or ')} [A14]`, async () => {
    const server = await startKeyServer(down);
    let later = 0;
    const clock = () => Date.now() + later * 1000;
    const guarded = await api.variant({
      start: { guard: { agents: agentsFromJwks(server.url, { ...loopback, clock }) } },
    });
    for (const [index, [, answer]] of hostile.entries()) {
      server.answer = answer;
      later += 10;
      await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
      expect(server.asked).toHaveLength(index + 1);
    }
    server.answer = json({ keys: [reviewerJwk] });
    later += 10;
    await guarded.accepts(guarded.signed(), 200);
  });

  it('a name on loopback is refused unless it is allowed [A14]', async () => {
    const server = await startKeyServer(json({ keys: [reviewerJwk] }));
    const url = server.url.replace('127.0.0.1', 'localhost');
    const guarded = await api.variant({
      start: { guard: { agents: agentsFromJwks(url, { dangerouslyAllowHttp: true }) } },
    });
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
    expect(server.asked).toEqual([]);
  });

  it('a failed refresh keeps a key, a successful one without it drops it, and none for an hour is an outage [A14, C7]', async () => {
    const server = await startKeyServer(json({ keys: [reviewerJwk, runnerJwk] }));
    let later = 0;
    const clock = () => Date.now() + later * 1000;
    const guarded = await api.variant({
      start: { guard: { agents: agentsFromJwks(server.url, { ...loopback, clock }) } },
    });
    await guarded.accepts(guarded.signed(), 200);
    server.answer = down;
    later = 400;
    await guarded.accepts(guarded.signed(), 200);
    server.answer = json({ keys: [runnerJwk] });
    later = 800;
    await guarded.accepts(guarded.signed({ key: runner }), 200);
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
    server.answer = down;
    later = 800 + 3700;
    await guarded.refuses(guarded.signed({ key: runner }), 503, 'keys_unavailable');
  });

  it('a flood of unknown keys causes one fetch [A14]', async () => {
    const server = await startKeyServer(json({ keys: [reviewerJwk] }));
    const guarded = await api.variant({ start: { guard: { agents: agentsFromJwks(server.url, loopback) } } });
    for (let count = 0; count < 5; count += 1) {
      await guarded.refuses(guarded.signed({ key: keyNamed(`unknown ${count}`) }), 401, 'key_unknown');
    }
    await guarded.accepts(guarded.signed(), 200);
    expect(server.asked).toHaveLength(1);
  });
});

const type = 'application/http-message-signatures-directory+json';

/** The directory of the reviewer. Signed without our own packages, like all requests of the scenarios. */
const signedDirectory =
  (authority?: string): RequestListener =>
  (request, response) => {
    const now = Math.floor(Date.now() / 1000);
    const input = `("@authority";req);created=${now};expires=${now + 60};keyid="${reviewer.thumbprint}";tag="http-message-signatures-directory"`;
    const base = `"@authority";req: ${authority ?? request.headers.host}\n"@signature-params": ${input}`;
    response.setHeader('signature-input', `sig=${input}`);
    response.setHeader('signature', `sig=:${reviewer.sign(Buffer.from(base)).toString('base64')}:`);
    json({ keys: [reviewer.publicJwk] }, type)(request, response);
  };

onEveryHost('Keys of agents from a signature directory', (api) => {
  it('a key that signed its directory is accepted, with the capabilities configured here', async () => {
    const { url } = await startKeyServer(signedDirectory());
    const options = { id: reviewerId, capabilities: ['invoice:read'], ...loopback };
    const guarded = await api.variant({ start: { guard: { agents: agentsFromSignatureDirectory(url, options) } } });
    await guarded.accepts(guarded.signed({ target: '/invoices' }), 200);
  });

  it("a copy of another agent's directory gives nobody a key [A11]", async () => {
    const { url } = await startKeyServer(signedDirectory('crawler.example'));
    const options = { id: 'agent-thief', ...loopback };
    const guarded = await api.variant({ start: { guard: { agents: agentsFromSignatureDirectory(url, options) } } });
    await guarded.refuses(guarded.signed(), 401, 'key_unknown');
  });

  it('a directory of another type is an outage [A14]', async () => {
    const server = await startKeyServer(json({ keys: [reviewer.publicJwk] }));
    const options = { id: reviewerId, ...loopback };
    const agentsThere = agentsFromSignatureDirectory(server.url, options);
    const guarded = await api.variant({ start: { guard: { agents: agentsThere } } });
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
    expect(server.asked).toEqual(['/.well-known/http-message-signatures-directory']);
  });
});

onEveryHost('A signature directory beside agents that others know', (api) => {
  const guest = keyNamed('guest');

  async function start(answer: RequestListener, status: 'active' | 'suspended' = 'active') {
    const server = await startKeyServer(answer);
    let later = 0;
    const crawler = agentsFromSignatureDirectory(server.url, {
      ...loopback,
      id: 'agent-crawler',
      status,
      clock: () => Date.now() + later * 1000,
    });
    const agents = combine(crawler, agentsFromObjects([{ id: runnerId, publicKey: runner.publicBase64 }]));
    const guarded = await api.variant({ start: { guard: { agents } } });
    const asGuest = async (key = guest) => {
      const token = await guarded.token({ act: { sub: 'agent-guest' }, cnf: { jwk: key.publicJwk } });
      return guarded.signed({ key, token });
    };
    const accepts = async () => {
      await guarded.accepts(await asGuest(), 200);
      await guarded.accepts(guarded.signed({ key: runner }), 200);
    };
    return { server, guarded, asGuest, accepts, at: (seconds: number) => void (later = seconds) };
  }

  it('that is down keeps out nobody else, and its own agent only once its keys are too old [A14]', async () => {
    const { server, guarded, accepts, at } = await start(signedDirectory());
    await accepts();
    await guarded.accepts(guarded.signed(), 200);
    server.answer = down;
    for (const seconds of [31, 40, 400]) {
      at(seconds);
      await accepts();
      await guarded.accepts(guarded.signed(), 200);
      await guarded.refuses(guarded.signed({ key: stranger }), 503, 'keys_unavailable');
    }
    at(4000);
    await accepts();
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
  });

  it('that was never up keeps out nobody else [A14]', async () => {
    const { guarded, accepts } = await start(down);
    await accepts();
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
  });

  it('that is late stalls nobody else, and a new key of it waits for the answer [A14]', async () => {
    const { server, guarded, accepts, at } = await start(json({ keys: [] }, type));
    await accepts();
    const answers: (() => void)[] = [];
    const asked = new Promise<void>((resolve) => {
      server.answer = (request, response) => {
        answers.push(() => signedDirectory()(request, response));
        resolve();
      };
    });
    for (const seconds of [31, 400]) {
      at(seconds);
      await accepts();
    }
    await asked;
    const own = guarded.send(guarded.signed());
    await accepts();
    answers[0]?.();
    expect(await own).toMatchObject({ status: 200 });
  });

  it('of a suspended agent lets no key of it in under another name while it is down [A14, C7]', async () => {
    const { server, guarded, asGuest, accepts, at } = await start(signedDirectory(), 'suspended');
    await guarded.refuses(await asGuest(reviewer), 401, 'agent_suspended');
    server.answer = down;
    at(400);
    await accepts();
    await guarded.refuses(await asGuest(reviewer), 401, 'agent_suspended');
    at(4000);
    await accepts();
    await guarded.refuses(await asGuest(reviewer), 503, 'keys_unavailable');
    const unread = await start(down, 'suspended');
    await unread.guarded.refuses(await unread.asGuest(reviewer), 503, 'keys_unavailable');
  });

  it('keeps its name while it is down, whoever vouches for a key under it [A14, C5]', async () => {
    const { guarded } = await start(down);
    const token = await guarded.token({ act: { sub: 'agent-crawler' }, cnf: { jwk: guest.publicJwk } });
    await guarded.refuses(guarded.signed({ key: guest, token }), 503, 'keys_unavailable');
  });
});

onEveryHost('Agents from a database, and from several places', (api) => {
  const row = { id: reviewerId, publicKey: reviewer.publicBase64, capabilities: ['invoice:read'] };

  it('a database is asked for each request, and only for valid thumbprints [A11]', async () => {
    const asked: unknown[] = [];
    const database = agentsFromDatabase(async (question) => {
      asked.push(question);
      return question.thumbprint === reviewer.thumbprint ? row : undefined;
    });
    // A request that takes longer than a second is looked up again.
    const now = Date.now();
    const guarded = await api.variant({ start: { guard: { agents: database, clock: () => now } } });
    await guarded.accepts(guarded.signed({ target: '/invoices' }), 200);
    await guarded.refuses(guarded.signed({ key: runner }), 401, 'key_unknown');
    await guarded.refuses(guarded.signed({ parameters: { keyid: '"1; DROP TABLE agents"' } }), 401, 'key_unknown');
    expect(asked).toEqual([{ thumbprint: reviewer.thumbprint }, { thumbprint: runner.thumbprint }]);
  });

  it.each([
    ['never answers', () => new Promise<undefined>(() => {})],
    ['rejects', () => Promise.reject(new Error('no pool'))],
    ['answers with the row of another key', async () => ({ ...row, publicKey: runner.publicBase64 })],
  ])('a database that %s [A14]', async (_title, query) => {
    const database = agentsFromDatabase(query, { timeoutSeconds: 0.05 });
    const guarded = await api.variant({ start: { guard: { agents: database } } });
    await guarded.refuses(guarded.signed(), 503, 'keys_unavailable');
  });

  it('the name of an agent without keys stays taken, and a suspension of it counts [C5, C7]', async () => {
    const none = { id: reviewerId, keys: [], status: 'suspended' as const };
    const guest = keyNamed('guest');
    const second = agentsFromObjects([
      { id: reviewerId, publicKey: stranger.publicBase64 },
      { id: runnerId, publicKey: runner.publicBase64 },
    ]);
    const database = agentsFromDatabase(async ({ id }) => (id === reviewerId ? none : undefined));
    for (const first of [database, agentsFromObjects([none])]) {
      const guarded = await api.variant({ start: { guard: { agents: combine(first, second) } } });
      const token = await guarded.token({ act: { sub: reviewerId }, cnf: { jwk: guest.publicJwk } });
      await guarded.refuses(guarded.signed({ key: guest, token }), 401, 'token_not_bound_to_agent');
      await guarded.refuses(guarded.signed({ key: stranger }), 401, 'key_unknown');
      const through = await guarded.token({ act: { sub: runnerId, act: { sub: reviewerId } } });
      await guarded.refuses(guarded.signed({ key: runner, token: through }), 401, 'delegation_revoked');
    }
  });

  it('a later directory cannot shadow an earlier one [C5]', async () => {
    const first = agentsFromObjects([row]);
    const second = agentsFromObjects([
      { id: reviewerId, publicKey: stranger.publicBase64, capabilities: ['record:delete'] },
      { id: runnerId, publicKey: runner.publicBase64 },
    ]);
    const guarded = await api.variant({ start: { guard: { agents: combine(first, second) } } });
    await guarded.accepts(guarded.signed(), 200);
    await guarded.accepts(guarded.signed({ key: runner }), 200);
    await guarded.refuses(guarded.signed({ key: stranger }), 401, 'key_unknown');
    // An issuer cannot vouch for a key under a name that a directory knows.
    const guest = keyNamed('guest');
    const token = await guarded.token({ act: { sub: runnerId }, cnf: { jwk: guest.publicJwk } });
    await guarded.refuses(guarded.signed({ key: guest, token }), 401, 'token_not_bound_to_agent');
  });
});
