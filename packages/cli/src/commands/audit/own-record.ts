import { textAt, type Unknown } from './unknown-record.js';

/** Describes a record about the log itself; undefined for a record of a request. */
export function ownRecordText(record: Unknown): string | undefined {
  const { phase } = record;
  if (phase === 'segment') return segmentText(record);
  if (phase === 'checkpoint') {
    return `records 1 to ${said(record, 'checkpoint', 'size')} sealed, root ${said(record, 'checkpoint', 'root')}`;
  }
  if (phase !== 'recovered') return undefined;
  return `after a crash ${said(record, 'recovered', 'bytes')} torn bytes were put aside as ${said(record, 'recovered', 'file')}`;
}

function segmentText(record: Unknown): string {
  const [number, origin, size] = ['number', 'origin', 'size'].map((name) => said(record, 'segment', name));
  const voidFrom = textAt(record, 'segment', 'fenced', 'validBytes');
  const fence = voidFrom === undefined ? '' : `; the one before is void from byte ${voidFrom} on`;
  return `segment ${number} of ${origin} begins, after ${size} records${fence}`;
}

function said(record: Unknown, ...path: readonly string[]): string {
  return textAt(record, ...path) ?? '?';
}
