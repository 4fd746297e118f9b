import { withTimeout } from '@countersign/common';
import type { PgClient, PgPool } from './pool.js';
import { rowsOf } from './pool.js';

const retryMilliseconds = 1000;
const patienceMilliseconds = 1000;

/**
 * Listens on a channel with one connection of the pool, and takes another when it breaks. Where this does not work, as
 * behind a pooler of transactions, polling remains.
 */
export function listen(pool: PgPool, channel: string, listener: () => void): { close(): Promise<void> } {
  let isClosed = false;
  let release = nothing;
  let timer: NodeJS.Timeout | undefined;
  let connecting = connect();

  async function connect(): Promise<void> {
    try {
      const client = await pool.connect();
      release = releaseOnce(client);
      const retry = () => {
        release();
        again();
      };
      client.on('error', retry);
      client.on('end', retry);
      client.on('notification', listener);
      if (isClosed) return release();
      await rowsOf(client, `LISTEN ${channel}`);
      // What was written before is not notified.
      listener();
    } catch {
      release();
      again();
    }
  }

  function again(): void {
    if (isClosed) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      connecting = connect();
    }, retryMilliseconds);
    timer.unref();
  }

  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      release();
      // `connect` releases a connection that the pool makes later.
      await withTimeout(patienceMilliseconds, connecting, nothing);
      release();
    },
  };
}

function nothing(): void {}

/** Ends the connection, because the next borrower must not receive notices. */
function releaseOnce(client: PgClient): () => void {
  let isReleased = false;
  return () => {
    if (isReleased) return;
    isReleased = true;
    client.release(true);
  };
}
