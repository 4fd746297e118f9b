/** Longest line, in bytes. */
export const maxLineBytes: number = 16 * 1024;
/** Most UTF-16 units of a string in a record. */
export const maxStringUnits = 1024;

/** Printable ASCII without an escape, so that quotation marks only delimit strings; none of them is too long. */
const plainJson = new RegExp(`^(?:[ !#-\\[\\]-~]{0,${maxStringUnits}}")*[ !#-\\[\\]-~]{0,${maxStringUnits}}$`);

/** Whether nothing in this JSON has to be cut or escaped. */
export function isPlainJson(json: string): boolean {
  // The pattern needs stack for each string, and a text of several megabytes would exhaust it.
  return json.length <= maxLineBytes && plainJson.test(json);
}
