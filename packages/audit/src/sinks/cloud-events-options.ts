import { checkOptionNames, ConfigError, readClock, readOnTrouble, integerOption } from '@countersign/common';
import type { AuditEvent } from '../record/event.js';
import { parseReceiverAddress, readReceiverAuthorization } from './receiver-address.js';

export interface AuditCloudEventsOptions {
  /** The CloudEvents `source`: a URI reference like `https://api.acme.dev` or `/audit/1`. */
  readonly source: string;
  /** A folder for this sink alone, created if needed, where records wait until they are received. */
  readonly spoolDirectory: string;
  /** Most bytes that wait there, and most quarantined bytes; further records are refused. A file counts at least 4 KiB. Default 64 MiB. */
  readonly maxSpoolBytes?: number;
  /** Most records in one request. Default 100. */
  readonly batchRecords?: number;
  /** How long a record waits for others to share its request, in seconds, if no older batch waits. Default 1. */
  readonly batchSeconds?: number;
  /** Timeout of a request, in seconds. Default 10. */
  readonly timeoutSeconds?: number;
  /** Longest pause between attempts, in seconds, even if the receiver asks for more. Pauses double from 1. Default 60. */
  readonly maxRetrySeconds?: number;
  /** Sent as `Authorization`. */
  readonly authorization?: string;
  /** Makes the CloudEvents `data`, like `toOcsf`. Default: the record itself. */
  readonly data?: (event: AuditEvent) => object;
  /** Allow an http address that is not loopback. Default false. */
  readonly dangerouslyAllowHttp?: boolean;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Called when records are not received, quarantined or dropped. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

/** The options with every default filled in and every value checked. */
export interface CloudEventsSettings {
  readonly url: URL;
  readonly source: string;
  readonly spoolDirectory: string;
  readonly maxSpoolBytes: number;
  readonly batchRecords: number;
  readonly batchMilliseconds: number;
  readonly timeoutMilliseconds: number;
  readonly maxRetryMilliseconds: number;
  readonly authorization: string | undefined;
  readonly data: (event: AuditEvent) => object;
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

const optionNames = [
  'source',
  'spoolDirectory',
  'maxSpoolBytes',
  'batchRecords',
  'batchSeconds',
  'timeoutSeconds',
  'maxRetrySeconds',
  'authorization',
  'data',
  'dangerouslyAllowHttp',
  'clock',
  'onTrouble',
] as const satisfies readonly (keyof AuditCloudEventsOptions)[];

export function readCloudEventsOptions(address: string, options: AuditCloudEventsOptions): CloudEventsSettings {
  checkOptionNames('auditCloudEvents', options, optionNames);
  const owner = 'auditCloudEvents';
  const { data = (event) => event, dangerouslyAllowHttp = false, maxSpoolBytes = 64 * 1024 ** 2 } = options;
  const { batchRecords = 100, batchSeconds = 1, timeoutSeconds = 10, maxRetrySeconds = 60 } = options;
  if (typeof data !== 'function') throw new ConfigError("auditCloudEvents: 'data' must be a function, like toOcsf.");
  return {
    url: parseReceiverAddress(owner, address, dangerouslyAllowHttp),
    source: readSource(options.source),
    spoolDirectory: text('spoolDirectory', options.spoolDirectory, '/var/lib/api/spool'),
    maxSpoolBytes: integerOption(owner, 'maxSpoolBytes', maxSpoolBytes, 64 * 1024, 1024 ** 4),
    batchRecords: integerOption(owner, 'batchRecords', batchRecords, 1, 1000),
    batchMilliseconds: 1000 * integerOption(owner, 'batchSeconds', batchSeconds, 0, 3600),
    timeoutMilliseconds: 1000 * integerOption(owner, 'timeoutSeconds', timeoutSeconds, 1, 300),
    maxRetryMilliseconds: 1000 * integerOption(owner, 'maxRetrySeconds', maxRetrySeconds, 1, 3600),
    authorization: readReceiverAuthorization('auditCloudEvents', options.authorization),
    data,
    clock: readClock('auditCloudEvents', options.clock),
    onTrouble: readOnTrouble('auditCloudEvents', options.onTrouble),
  };
}

const pathCharacter = String.raw`(?:[\w.~!$&'()*+,;=:@/-]|%[\da-f]{2})`;
/** RFC 3986 §4.1. A relative reference has no colon in its first segment. */
const uriReference = new RegExp(
  String.raw`^(?:[a-z][a-z\d+.-]*:|(?![^/?#]*:))(?://(?:${pathCharacter}|[[\]])*)?${pathCharacter}*` +
    String.raw`(?:\?(?:${pathCharacter}|\?)*)?(?:#(?:${pathCharacter}|\?)*)?$`,
  'i',
);

function readSource(source: string): string {
  text('source', source, 'https://api.acme.dev');
  // CloudEvents 1.0 §3.1: with a wrong source a receiver may refuse every event.
  if (uriReference.test(source) && URL.canParse(source, 'https://any.example')) return source;
  throw new ConfigError("auditCloudEvents: 'source' must be a URI reference, like 'https://api.acme.dev'.");
}

function text(name: string, value: string, example: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new ConfigError(`auditCloudEvents: '${name}' is missing. Try '${example}'.`);
}
