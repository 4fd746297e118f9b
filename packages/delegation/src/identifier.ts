const MAX_IDENTIFIER_LENGTH = 256;
const MAX_URI_LENGTH = 1024;

// Characters that are invisible in a log or look like others: controls, format and other ignorable characters, lone
// surrogates, private-use and unassigned characters, line separators, the blank Braille pattern, and every space but
// U+0020.
const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}/u;

/**
 * Whether a value can name a principal, a client or a token. Identifiers are compared exactly, so two that look alike
 * must not differ only in invisible characters: text must be in NFC (Unicode Annex 15), without invisible characters
 * and without space at its ends.
 */
export function isIdentifier(value: unknown): value is string {
  return isVisibleText(value, MAX_IDENTIFIER_LENGTH);
}

/** Whether a value can name an issuer or an audience: StringOrURI (RFC 7519 §2), held to the same rules. */
export function isStringOrUri(value: unknown): value is string {
  return isVisibleText(value, MAX_URI_LENGTH);
}

function isVisibleText(value: unknown, maxLength: number): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= maxLength &&
    !INVISIBLE.test(value) &&
    value.trim() === value &&
    value.normalize('NFC') === value
  );
}
