import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { auditCloudEvents, auditFile, auditPino, auditStdout, type FanOut, fanOut, toOcsf } from '@countersign/core';
import { auditOpenTelemetry } from '@countersign/opentelemetry';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { pino } from 'pino';
import { scratch } from './api.js';

/** Every sink behind one fan-out, with the output of each. */
export class EverySink {
  readonly sink: FanOut;
  readonly folder: string;
  readonly #spool: string;
  readonly #printed = new Written();
  readonly #logged = new Written();
  readonly #spans = new InMemorySpanExporter();
  readonly #receiver: Server;
  #received = '';

  private constructor(receiver: Server) {
    this.#receiver = receiver;
    this.folder = mkdtempSync(join(scratch, 'countersign-sinks-'));
    this.#spool = mkdtempSync(join(scratch, 'countersign-spool-'));
    receiver.on('request', (request, response) => {
      void text(request).then((body) => {
        this.#received += JSON.stringify(request.rawHeaders) + body;
        response.end();
      });
    });
    const address = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    const source = 'https://records.acme.dev';
    this.sink = fanOut([
      auditFile(this.folder),
      auditStdout(this.#printed.stream),
      auditPino(pino(this.#logged.stream)),
      auditOpenTelemetry({
        tracerProvider: new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(this.#spans)] }),
      }),
      auditCloudEvents(address, { source, spoolDirectory: join(this.#spool, 'events') }),
      auditCloudEvents(address, { source, spoolDirectory: join(this.#spool, 'ocsf'), data: toOcsf }),
    ]);
  }

  static async start(): Promise<EverySink> {
    const receiver = createServer();
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    return new EverySink(receiver);
  }

  /** The complete output of each sink, by its name. Call it after the guard is closed. */
  outputs(): Readonly<Record<string, string>> {
    const spans = this.#spans.getFinishedSpans();
    return {
      file: bytesBelow(this.folder),
      stdout: this.#printed.text,
      pino: this.#logged.text,
      traces: JSON.stringify(spans.map(({ name, attributes, events, status }) => [name, attributes, events, status])),
      cloudEvents: this.#received + bytesBelow(this.#spool),
    };
  }

  async close(): Promise<void> {
    this.#receiver.closeAllConnections();
    await new Promise((resolve) => this.#receiver.close(resolve));
    for (const folder of [this.folder, this.#spool]) rmSync(folder, { recursive: true, force: true });
  }
}

class Written {
  text = '';
  readonly stream: Writable = new Writable({
    write: (chunk, _encoding, done) => {
      this.text += String(chunk);
      done();
    },
  });
}

function bytesBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
    .join('');
}
