/** A message that is no protobuf, or was cut off. */
export class MessageBroken extends Error {}

const lengthDelimited = 2;

/** The length-delimited fields of a message. The Workload API has no others that matter here. */
export function readFields(bytes: Buffer): readonly (readonly [field: number, value: Buffer])[] {
  const fields: [number, Buffer][] = [];
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = readVarint(reader);
    const wireType = tag % 8;
    const length = wireType === lengthDelimited ? readVarint(reader) : skippedLength(wireType, reader);
    if (reader.at + length > bytes.length) throw new MessageBroken('a message is cut off');
    if (wireType === lengthDelimited) {
      fields.push([Math.floor(tag / 8), bytes.subarray(reader.at, reader.at + length)]);
    }
    reader.at += length;
  }
  return fields;
}

/** The bytes of a field that is not wanted. */
function skippedLength(wireType: number, reader: { readonly bytes: Buffer; at: number }): number {
  if (wireType === 1) return 8;
  if (wireType === 5) return 4;
  if (wireType !== 0) throw new MessageBroken(`a message has a field of wire type ${wireType}`);
  readVarint(reader);
  return 0;
}

function readVarint(reader: { readonly bytes: Buffer; at: number }): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw new MessageBroken('a message is cut off');
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
  throw new MessageBroken('a number is too long');
}

/** The values of a field, in order. */
export function valuesOf(bytes: Buffer, field: number): readonly Buffer[] {
  return readFields(bytes).flatMap(([number, value]) => (number === field ? [value] : []));
}

/** The value of a field; the last one counts. */
export function valueOf(bytes: Buffer, field: number): Buffer {
  return valuesOf(bytes, field).at(-1) ?? Buffer.alloc(0);
}

export function textOf(bytes: Buffer, field: number): string {
  return valueOf(bytes, field).toString('utf8');
}

/** A `map<string, bytes>`. */
export function mapOf(bytes: Buffer, field: number): ReadonlyMap<string, Buffer> {
  return new Map(valuesOf(bytes, field).map((entry) => [textOf(entry, 1), valueOf(entry, 2)]));
}

/** Writes a text or bytes as a field. */
export function writeField(field: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([writeVarint(field * 8 + lengthDelimited), writeVarint(bytes.length), bytes]);
}

function writeVarint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return Buffer.from([...bytes, rest]);
}
