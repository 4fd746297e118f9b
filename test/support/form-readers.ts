import { createRequire } from 'node:module';
import type { RequestListener } from 'node:http';
import { parse as parseQuery } from 'node:querystring';
import { Readable, type Writable } from 'node:stream';
import { bodyParser } from '@koa/bodyparser';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express5 from 'express';
import express4 from 'express4';
import Koa3 from 'koa';
import Koa2 from 'koa2';
import { listen, type Listening } from '../interop/server.js';

/** The names and values that an application gets, in order; a value is no string if the parser nests or repeats it. */
type Entries = readonly (readonly [name: string, value: unknown])[];

/** One parser of forms, with its usual options. Rejects what the parser refuses. */
export interface FormReader {
  readonly name: string;
  read(text: string): Promise<Entries>;
}

const form = 'application/x-www-form-urlencoded';

// Parsers that the frameworks bring along.
const beside = (dependent: string) => createRequire(createRequire(import.meta.url).resolve(dependent));
type Parse = (text: string, options: object) => object;
const { parse: parseQs } = beside('express')('qs') as { readonly parse: Parse };
const busboy = beside('multer')('busboy') as (options: { readonly headers: object }) => Writable;

/** Parsers behind real servers, and those that are functions. */
export async function openFormReaders(): Promise<{ readonly readers: readonly FormReader[]; close(): Promise<void> }> {
  const listeners: Readonly<Record<string, RequestListener>> = {
    'express 4, extended': onExpress(express4 as unknown as typeof express5, { extended: true }),
    'express 4, simple': onExpress(express4 as unknown as typeof express5, { extended: false }),
    'express 5, extended': onExpress(express5, { extended: true }),
    'express 5, simple': onExpress(express5, { extended: false }),
    'express 5, with a sentinel': onExpress(express5, sentinel),
    koa2: onKoa(Koa2),
    koa3: onKoa(Koa3),
    'nestjs on express': onNestExpress(),
    'nestjs on fastify': await onNestFastify(),
  };
  const servers: Listening[] = [];
  const readers: FormReader[] = [...functions];
  for (const [name, listener] of Object.entries(listeners)) {
    const server = await listen(listener);
    servers.push(server);
    readers.push({ name, read: (text) => sent(server.authority, text) });
  }
  return { readers, close: async () => void (await Promise.all(servers.map((server) => server.close()))) };
}

const functions: readonly FormReader[] = [
  { name: 'querystring', read: async (text) => Object.entries(parseQuery(text)) },
  { name: 'URLSearchParams', read: async (text) => [...new URLSearchParams(text)] },
  // A dictionary keeps the last of two values.
  {
    name: 'URLSearchParams, as an object',
    read: async (text) => Object.entries(Object.fromEntries(new URLSearchParams(text))),
  },
  { name: 'Request.formData', read: async (text) => [...(await requestOf(text).formData())] },
  { name: 'busboy', read: readByBusboy },
  {
    name: 'qs, with what it can do',
    read: async (text) => Object.entries(parseQs(text, { comma: true, allowDots: true })),
  },
];

const sentinel = { extended: true, charsetSentinel: true, interpretNumericEntities: true } as object;

function requestOf(text: string): Request {
  return new Request('http://localhost', { method: 'POST', body: text, headers: { 'content-type': form } });
}

function readByBusboy(text: string): Promise<Entries> {
  return new Promise((resolve, reject) => {
    const entries: [string, unknown][] = [];
    const parser = busboy({ headers: { 'content-type': form } });
    parser.on('field', (name: string, value: string) => void entries.push([name, value]));
    parser.on('error', reject).on('close', () => resolve(entries));
    Readable.from([Buffer.from(text)]).pipe(parser);
  });
}

async function sent(authority: string, text: string): Promise<Entries> {
  const response = await fetch(`http://${authority}/`, {
    method: 'POST',
    body: text,
    headers: { 'content-type': form },
  });
  if (!response.ok) throw new Error(`refused with ${response.status}`);
  return (await response.json()) as Entries;
}

function onExpress(express: typeof express5, options: object): RequestListener {
  const app = express();
  app.use(express.urlencoded(options));
  app.post('/', (request, response) => void response.json(Object.entries(request.body as object)));
  return app;
}

function onKoa(Koa: typeof Koa3): RequestListener {
  const app = new Koa();
  app.silent = true;
  app.use(bodyParser());
  app.use((context) => {
    context.body = Object.entries(context.request.body as object);
  });
  const listener = app.callback();
  return (request, response) => void listener(request, response);
}

function onNestExpress(): RequestListener {
  const adapter = new ExpressAdapter();
  adapter.registerParserMiddleware();
  const app = adapter.getInstance<ReturnType<typeof express5>>();
  app.post('/', (request, response) => void response.json(Object.entries(request.body as object)));
  return app;
}

async function onNestFastify(): Promise<RequestListener> {
  const adapter = new FastifyAdapter();
  adapter.registerParserMiddleware();
  const app = adapter.getInstance();
  app.post('/', async ({ body }) => Object.entries(body as object));
  await app.ready();
  return (request, response) => app.routing(request, response);
}
