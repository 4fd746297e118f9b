import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import type { AuditOutcome } from '@countersign/audit';
import { type OutcomeWatch, watchOutcome } from '../../src/adapter/watch-outcome.js';
import { refusal } from '../../src/model/refusal.js';
import { RefusalError, refusalResponse } from '../../src/model/refusal-response.js';
import { patiently } from '../../../../test/support/patiently.js';
import { Deferred } from '../deferred.js';
import { post, RawClient, serve, type TestServer } from './raw-http.js';

type Handler = (request: IncomingMessage, response: ServerResponse, watch: OutcomeWatch) => void | Promise<void>;

class Watched {
  readonly outcomes: AuditOutcome[] = [];
  readonly closed = new Deferred();

  serve(handler: Handler, { late = false } = {}): Promise<TestServer> {
    return serve((request, response) => {
      request.resume();
      response.once('close', this.closed.resolve);
      void (async () => {
        if (late) await this.closed.promise;
        await handler(
          request,
          response,
          watchOutcome(request, response, ({ outcome }) => this.outcomes.push(outcome)),
        );
      })();
    });
  }

  /** All outcomes, after every pending callback has run. */
  async all(): Promise<readonly AuditOutcome[]> {
    await this.closed.promise;
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    return this.outcomes;
  }
}

describe('watchOutcome calls back exactly once', () => {
  it('with finished and its status [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => {
      response.statusCode = 201;
      response.end('made');
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    expect(await watched.all()).toEqual([{ result: 'finished', status: 201 }]);
  });

  it('with the status that was sent when the application changes it later [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => {
      response.end('done');
      response.statusCode = 403;
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    expect(await watched.all()).toEqual([{ result: 'finished', status: 200 }]);
  });

  it('with timed_out when the server closes a silent connection [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((request) => {
      request.socket.setTimeout(20);
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    expect(await watched.all()).toEqual([{ result: 'timed_out' }]);
  });

  it('with finished when the application answers after the timeout [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => {
      response.setTimeout(20, () => response.end('late'));
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    expect(await watched.all()).toEqual([{ result: 'finished', status: 200 }]);
  });

  it('with threw and the status that was sent [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response, watch) => {
      watch.threw(new Error('failed'));
      response.statusCode = 500;
      response.end();
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    expect(await watched.all()).toEqual([{ result: 'threw', status: 500 }]);
  });

  it('with threw when the handler fails in the middle of the response [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((request, response, watch) => {
      response.write('half');
      watch.threw(new Error('failed'));
      request.socket.destroy();
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.untilClosed();
    expect(await watched.all()).toEqual([{ result: 'threw', status: 200 }]);
  });

  it('with aborted and no status when the client leaves before the response [F5]', async () => {
    const watched = new Watched();
    const arrived = new Deferred();
    await using server = await watched.serve((_request, response) => {
      response.statusCode = 404;
      arrived.resolve();
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await arrived.promise;
    client.socket.destroy();
    expect(await watched.all()).toEqual([{ result: 'aborted' }]);
  });

  it('with aborted when the client leaves in the middle of the response [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => void response.writeHead(206).write('half'));
    using client = await RawClient.open(server);
    await client.send(post(''));
    await once(client.socket, 'data');
    client.socket.destroy();
    expect(await watched.all()).toEqual([{ result: 'aborted', status: 206 }]);
  });

  it('with aborted when the client left before the watch began [F5]', async () => {
    const watched = new Watched();
    await using server = await watched.serve(() => {}, { late: true });
    using client = await RawClient.open(server);
    await client.send(post(''));
    client.socket.end();
    client.socket.destroy();
    expect(await watched.all()).toEqual([{ result: 'aborted' }]);
  });

  it('with finished when the response ended before the watch began [F5]', async () => {
    const outcomes: AuditOutcome[] = [];
    await using server = await serve((request, response) => {
      request.resume();
      response.end();
      response.once('close', () => watchOutcome(request, response, ({ outcome }) => outcomes.push(outcome)));
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(outcomes).toEqual([{ result: 'finished', status: 200 }]);
  });
});

/** A server that keeps each outcome at the index of its request. */
async function pipelined(
  handle: (place: number, response: ServerResponse) => void,
): Promise<{ readonly outcomes: (AuditOutcome | undefined)[]; readonly server: TestServer }> {
  const outcomes: (AuditOutcome | undefined)[] = [];
  const server = await serve((request, response) => {
    const place = outcomes.push(undefined) - 1;
    watchOutcome(request, response, ({ outcome }) => (outcomes[place] = outcome));
    handle(place, response);
  });
  return { outcomes, server };
}

const gets = (count: number): string => 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(count);

describe('watchOutcome with pipelined requests calls back', () => {
  it('with aborted for requests whose response was never sent [F5]', async () => {
    const { outcomes, server } = await pipelined((place, response) => {
      if (place === 1) response.writeHead(201).end();
    });
    await using _server = server;
    using client = await RawClient.open(server);
    await client.send(gets(3));
    await vi.waitFor(() => expect(outcomes).toHaveLength(3), patiently);
    client.socket.destroy();
    const aborted = { result: 'aborted' };
    await vi.waitFor(() => expect(outcomes).toEqual([aborted, aborted, aborted]), patiently);
  });

  it('with aborted for a response that was due after the connection closed [F5]', async () => {
    const { outcomes, server } = await pipelined((place, response) => {
      response.end(place === 0 ? Buffer.alloc(20_000_000) : 'short');
    });
    await using _server = server;
    using client = await RawClient.open(server);
    client.socket.pause();
    await client.send(gets(2));
    await vi.waitFor(() => expect(outcomes).toHaveLength(2), patiently);
    client.socket.destroy();
    await vi.waitFor(() => expect(outcomes).toMatchObject([{ result: 'aborted' }, { result: 'aborted' }]), patiently);
  });

  it('with aborted when the connection closed before the watch began [F5]', async () => {
    const outcomes: AuditOutcome[] = [];
    const arrived = new Deferred();
    await using server = await serve((request, response) => {
      if (request.url === '/first') return;
      request.socket.once('close', () => watchOutcome(request, response, ({ outcome }) => outcomes.push(outcome)));
      arrived.resolve();
    });
    using client = await RawClient.open(server);
    await client.send(gets(2).replace('/', '/first'));
    await arrived.promise;
    client.socket.destroy();
    await vi.waitFor(() => expect(outcomes).toEqual([{ result: 'aborted' }]), patiently);
  });

  it('with aborted for a request after a response that closes the connection [F5]', async () => {
    const { outcomes, server } = await pipelined((place, response) => {
      if (place === 1) response.setHeader('connection', 'close');
      response.end();
    });
    await using _server = server;
    using client = await RawClient.open(server);
    await client.send(gets(3));
    const finished = { result: 'finished', status: 200 };
    await vi.waitFor(() => expect(outcomes).toEqual([finished, finished, { result: 'aborted' }]), patiently);
  });

  it('without leaving listeners on a connection after 1,000 requests [G4]', async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    const sockets = new Set<Socket>();
    const { outcomes, server } = await pipelined((_place, response) => {
      const { socket } = response.req;
      sockets.add(socket);
      response.end();
    });
    await using _server = server;
    using client = await RawClient.open(server);
    const listeners = (): number[] =>
      [...sockets].flatMap((socket) => ['close', 'timeout'].map((event) => socket.listenerCount(event)));
    const after: number[][] = [];
    for (let round = 0; round < 50; round++) {
      await client.send(gets(20));
      for (let answers = 0; answers < 20; answers++) await client.response();
      await vi.waitFor(
        () => expect(outcomes.filter((outcome) => outcome !== undefined)).toHaveLength(20 * (round + 1)),
        patiently,
      );
      after.push(listeners());
    }
    expect(sockets.size).toBe(1);
    expect(after.at(-1)).toEqual(after[0]);
    expect(warned.mock.calls.filter(([warning]) => String(warning).includes('MaxListeners'))).toEqual([]);
  });
});

function refusalError(): RefusalError {
  const refused = refusal('policy_denied');
  return new RefusalError(refused, refusalResponse(refused, ''));
}

it('watchOutcome retains no ended response while its connection stays open [G4]', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const answers: WeakRef<ServerResponse>[] = [];
  await using server = await serve((request, response) => {
    answers.push(new WeakRef(response));
    watchOutcome(request, response, () => {});
    response.end();
  });
  using client = await RawClient.open(server);
  for (let count = 0; count < 5; count++) {
    await client.send(gets(1));
    await client.response();
  }
  await vi.waitFor(() => {
    collect();
    expect(answers.slice(0, 3).map((answer) => answer.deref())).toEqual([undefined, undefined, undefined]);
  }, patiently);
});

describe("watchOutcome tells whether the response was the guard's refusal", () => {
  it.each<[string, (response: ServerResponse, watch: OutcomeWatch) => void, object]>([
    [
      'it was the refusal',
      (response, watch) => {
        watch.refused(403);
        response.writeHead(403).end();
      },
      { refused: true, outcome: { result: 'finished', status: 403 } },
    ],
    [
      'it was to be the refusal, but the client left',
      (response, watch) => {
        watch.refused(403);
        response.req.socket.destroy();
      },
      { refused: true, outcome: { result: 'aborted' } },
    ],
    [
      'the application answered instead',
      (response, watch) => {
        watch.refused(403);
        response.writeHead(200).end();
      },
      { refused: false, outcome: { result: 'finished', status: 200 } },
    ],
    [
      'the application answered 403 itself',
      (response) => void response.writeHead(403).end(),
      { refused: false, outcome: { result: 'finished', status: 403 } },
    ],
    [
      'the host threw the refusal, which is not a failure of the handler',
      (response, watch) => {
        const error = refusalError();
        watch.refused(error);
        watch.threw(error);
        response.writeHead(403).end();
      },
      { refused: false, outcome: { result: 'finished', status: 403 } },
    ],
    [
      'the handler threw a RefusalError, as a streamed body does',
      (response, watch) => {
        watch.threw(refusalError());
        response.writeHead(403).end();
      },
      { refused: false, outcome: { result: 'finished', status: 403 } },
    ],
    [
      'a body parser threw an error with a 4xx status',
      (response, watch) => {
        watch.threw(Object.assign(new Error('invalid JSON'), { statusCode: 400 }));
        response.writeHead(400).end();
      },
      { refused: false, outcome: { result: 'finished', status: 400 } },
    ],
    [
      'the handler threw an error with a 5xx status',
      (response, watch) => {
        watch.threw(Object.assign(new Error('no database'), { status: 503 }));
        response.writeHead(503).end();
      },
      { refused: false, outcome: { result: 'threw', status: 503 } },
    ],
    [
      'the handler threw undefined',
      (response, watch) => {
        watch.threw(undefined);
        response.writeHead(500).end();
      },
      { refused: false, outcome: { result: 'threw', status: 500 } },
    ],
  ])('%s [F5]', async (_title, answer, ending) => {
    const endings: object[] = [];
    await using server = await serve((request, response) => {
      answer(
        response,
        watchOutcome(request, response, (ended) => endings.push(ended)),
      );
    });
    using client = await RawClient.open(server);
    await client.send('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    await vi.waitFor(() => expect(endings).toEqual([ending]), patiently);
  });
});
