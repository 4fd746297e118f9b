/** An element of DER (X.690 §8.1). */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** With its tag and length. */
  readonly raw: Buffer;
}

/** No certificate needs a tag of several bytes, and other readers take one that is spelt so for a short one. */
const severalBytes = 0x1f;

/** The elements that these bytes consist of. @throws if they are anything else than DER. */
export function readDer(bytes: Buffer): readonly DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    if ((tag & severalBytes) === severalBytes) throw new Error('a tag has several bytes');
    const { from, to } = contentAt(bytes, at);
    elements.push({ tag, content: bytes.subarray(from, to), raw: bytes.subarray(at, to) });
    at = to;
  }
  return elements;
}

/** The elements within the first one. @throws if there is none with this tag. */
export function readInner(bytes: Buffer, tag: number): readonly DerElement[] {
  const [outer, ...others] = readDer(bytes);
  if (outer?.tag !== tag || others.length > 0) throw new Error('an element has another tag');
  return readDer(outer.content);
}

/** Each length has one spelling: BER has several, and other readers could end an element elsewhere. */
function contentAt(bytes: Buffer, at: number): { readonly from: number; readonly to: number } {
  const first = bytes[at + 1] ?? 0;
  const count = first < 0x80 ? 0 : first & 0x7f;
  const from = at + 2 + count;
  const isLong = first >= 0x80;
  if ((isLong && (count < 1 || count > 4)) || from > bytes.length) throw new Error('a length is no DER');
  const length = isLong ? bytes.readUIntBE(at + 2, count) : first;
  if (isLong && length < (count === 1 ? 0x80 : 256 ** (count - 1))) throw new Error('a length is no DER');
  if (from + length > bytes.length) throw new Error('an element is cut off');
  return { from, to: from + length };
}
