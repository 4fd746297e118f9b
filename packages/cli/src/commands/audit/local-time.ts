/** The time of day in a zone, as `16:00:00`, with the day where it differs. Undefined if the zone is UTC then. */
export function localTime(time: string, zone: string | undefined): string | undefined {
  const moment = Date.parse(time);
  if (zone === undefined || Number.isNaN(moment)) return undefined;
  const [day, clock] = inZone(moment, zone);
  const [utcDay, utcClock] = inZone(moment, 'UTC');
  if (day === utcDay && clock === utcClock) return undefined;
  return day === utcDay ? clock : `${day?.slice(5) ?? ''} ${clock ?? ''}`;
}

function inZone(moment: number, zone: string): readonly string[] {
  // Swedish writes ISO 8601: 2026-11-24 16:00:00.
  return formatFor(zone).format(moment).split(' ');
}

const formats = new Map<string, Intl.DateTimeFormat>();

function formatFor(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone });
  formats.set(timeZone, made);
  return made;
}
