import { computeContentDigest } from '@countersign/signature';

const bodies: readonly (readonly [name: string, bytes: Buffer])[] = [
  ['one byte', Buffer.from([0])],
  ['text', Buffer.from('{"title":"Fix the flaky test","draft":true}')],
  ['text that is not ASCII', Buffer.from('{"title":"Grüße"}')],
  ['bytes that are no text', Buffer.from([0, 255, 13, 10, 128])],
  ['line ends, which nobody may change', Buffer.from('a\r\nb\nc\r')],
  ['4096 bytes', Buffer.from(Array.from({ length: 4096 }, (_, index) => index % 251))],
];

/** digests.json: the value of Content-Digest for each algorithm of the profile. A client sends sha-256. */
export function digestVectors(): object {
  return {
    digests: bodies.map(([name, bytes]) => ({
      name,
      body: bytes.toString('base64'),
      'sha-256': computeContentDigest(bytes, 'sha-256'),
      'sha-512': computeContentDigest(bytes, 'sha-512'),
    })),
  };
}
