import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AuditOutcome } from '../../src/audit/event.js';
import { type OutcomeWatch, watchOutcome } from '../../src/node/watch-outcome.js';
import { Deferred } from './deferred.js';
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

  /** Whatever could still be called back has been. */
  async all(): Promise<readonly AuditOutcome[]> {
    await this.closed.promise;
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    return this.outcomes;
  }
}

describe('watchOutcome calls back exactly once', () => {
  it('F5 finished, with its status', async () => {
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

  it('F5 timed out, when the server gave up on a silent connection', async () => {
    const watched = new Watched();
    await using server = await watched.serve((request) => {
      request.socket.setTimeout(20);
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    expect(await watched.all()).toEqual([{ result: 'timed_out' }]);
  });

  it('F5 finished, when the application answered in spite of the time', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => {
      response.setTimeout(20, () => response.end('late'));
    });
    using client = await RawClient.open(server);
    await client.send(post(''));
    await client.response();
    expect(await watched.all()).toEqual([{ result: 'finished', status: 200 }]);
  });

  it('F5 threw, with the status that was sent for it', async () => {
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

  it('F5 threw in the middle of the answer, which the framework then cuts off', async () => {
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

  it('F5 aborted before the answer: no status, whatever the framework has set', async () => {
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

  it('F5 aborted while it streams', async () => {
    const watched = new Watched();
    await using server = await watched.serve((_request, response) => void response.writeHead(206).write('half'));
    using client = await RawClient.open(server);
    await client.send(post(''));
    await once(client.socket, 'data');
    client.socket.destroy();
    expect(await watched.all()).toEqual([{ result: 'aborted', status: 206 }]);
  });

  it('F5 aborted before the watch began', async () => {
    const watched = new Watched();
    await using server = await watched.serve(() => {}, { late: true });
    using client = await RawClient.open(server);
    await client.send(post(''));
    client.socket.end();
    client.socket.destroy();
    expect(await watched.all()).toEqual([{ result: 'aborted' }]);
  });

  it('F5 finished before the watch began', async () => {
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
