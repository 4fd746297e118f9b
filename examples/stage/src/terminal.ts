/** The output of the story, with the signs and colours that it supports. */
export interface Terminal {
  readonly line: (text?: string) => void;
  readonly yes: string;
  readonly no: string;
  readonly arrow: string;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly good: Paint;
  readonly bad: Paint;
}

type Paint = (text: string) => string;

export interface Abilities {
  readonly colour: boolean;
  readonly unicode: boolean;
}

export function createTerminal(write: (text: string) => void, { colour, unicode }: Abilities): Terminal {
  const paint = (on: number, off: number) => (text: string) => (colour ? `\u001B[${on}m${text}\u001B[${off}m` : text);
  return {
    line: (text = '') => write(`${text}\n`),
    yes: unicode ? '✓' : 'ok',
    no: unicode ? '✗' : 'NO',
    arrow: unicode ? '→' : '->',
    bold: paint(1, 22),
    dim: paint(2, 22),
    good: paint(32, 39),
    bad: paint(31, 39),
  };
}

/** Colours only at a terminal without NO_COLOR (no-color.org); signs only where text is UTF-8. */
export function abilitiesOf(
  stream: { readonly isTTY?: boolean },
  environment: Readonly<Record<string, string | undefined>>,
): Abilities {
  const { NO_COLOR = '', TERM, LC_ALL, LC_CTYPE, LANG, WT_SESSION } = environment;
  const locale = LC_ALL || LC_CTYPE || LANG || '';
  return {
    colour: stream.isTTY === true && NO_COLOR === '' && TERM !== 'dumb',
    unicode: /utf-?8/i.test(locale) || WT_SESSION !== undefined,
  };
}
