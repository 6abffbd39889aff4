/** How values come out of PostgreSQL: as on the wire, and as they were when they were sealed. */
import pg from 'pg';

const timestamptz = 1184;
const int8 = 20;

/** Times are RFC 3339 UTC text and bigints numbers. */
export const wireTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === timestamptz) return (text: string) => new Date(text).toISOString();
    if (oid === int8) return Number;
    return pg.types.getTypeParser(oid, format);
  }) as pg.CustomTypesConfig['getTypeParser'],
};
