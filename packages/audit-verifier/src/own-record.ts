import { isHash, readHeader } from './log-line.js';

type Fields = Readonly<Record<string, unknown>>;

const events: ReadonlySet<unknown> = new Set(['authentication', 'decision', 'outcome', 'authority']);
const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z$/;
const root = /^[A-Za-z\d+/]{43}=$/;

/**
 * Whether a record has a phase that a log knows and, if it is one of the log's own, each field in its type. Code that
 * reads own records relies on it: anybody can append a line with a right link.
 */
export function hasKnownForm(record: Fields): boolean {
  const { phase } = record;
  if (events.has(phase)) return true;
  return typeof record['time'] === 'string' && time.test(record['time']) && hasContent(record);
}

function hasContent(record: Fields): boolean {
  switch (record['phase']) {
    case 'segment':
      return readHeader(record) !== undefined;
    case 'checkpoint':
      return isCheckpoint(fieldsOf(record['checkpoint']));
    case 'recovered':
      return isRecovered(fieldsOf(record['recovered']));
    default:
      return false;
  }
}

function isCheckpoint({ size, root: value }: Fields): boolean {
  return isCount(size) && typeof value === 'string' && root.test(value);
}

function isRecovered({ bytes, sha256, file }: Fields): boolean {
  return isCount(bytes) && isHash(sha256) && typeof file === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
