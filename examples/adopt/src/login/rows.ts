/** A user as a row of the application's database. */
export interface Row {
  readonly id: string;
  readonly name: string;
  readonly isActive: boolean;
}

const rows: readonly Row[] = [
  { id: 'user_123', name: 'Alice', isActive: true },
  { id: 'user_456', name: 'Bob', isActive: false },
];

export async function rowOf(id: string): Promise<Row | undefined> {
  return rows.find((row) => row.id === id);
}
