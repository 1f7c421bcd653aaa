import {
  Bool,
  type DataType,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  Table,
  Utf8,
  vectorFromArray,
  type Data,
} from 'apache-arrow';
import type { FurtherColumn, FurtherValue, IndexedSample, Modality } from '../contracts/index-description.ts';

/** Name of the LanceDB table in an index folder. */
export const TABLE = 'samples';

/** A row to index, with a vector of each modality that the index has. */
export interface IndexRow extends IndexedSample {
  vectors: Partial<Record<Modality, Float32Array>>;
}

/** Column of a modality's vectors. */
export const vectorColumn = (modality: Modality): string => `${modality}_vector`;

/** Column of a tag: prefixed, so that a head named like one of ours does not collide. */
export const tagColumn = (head: string): string => `tag_${head}`;

/** Column of the user's own, by its place: any name may be given to those. */
export const furtherColumn = (i: number): string => `further_${i}`;

/** What the columns of a table are, but those that every index has. */
export interface IndexShape {
  dimensions: number;
  modalities: readonly Modality[];
  heads: readonly string[];
  further: readonly FurtherColumn[];
}

const furtherTypes = { text: () => new Utf8(), integer: () => new Int64(), number: () => new Float64(), boolean: () => new Bool() };

const scalars = {
  id: new Int64(),
  hash: new Int64(),
  url: new Utf8(),
  caption: new Utf8(),
  key: new Utf8(),
  language: new Utf8(),
  licence: new Utf8(),
  NSFW: new Utf8(),
  similarity: new Float64(),
  width: new Int32(),
  height: new Int32(),
};
export const scalarColumns = Object.keys(scalars) as (keyof typeof scalars)[];
const nullable = new Set(['licence', 'NSFW', 'similarity', 'width', 'height']);

/**
 * The Arrow schema of the table. Vectors are float32: LanceDB has no fast path for float16 (20,000 x 512: an index took
 * 56 s against 1 s, a scan 43 ms against 15 ms).
 */
export function indexSchema({ dimensions, modalities, heads, further }: IndexShape): Schema {
  return new Schema([
    ...Object.entries(scalars).map(([name, type]) => new Field(name, type, nullable.has(name))),
    ...heads.map((head) => new Field(tagColumn(head), new Float32(), true)),
    ...further.map(({ type }, i) => new Field(furtherColumn(i), furtherTypes[type](), true)),
    ...modalities.map((modality) => new Field(vectorColumn(modality), new FixedSizeList(dimensions, new Field('item', new Float32(), true)), false)),
  ]);
}

/** Rows as an Arrow table of that schema. */
export function indexTable(schema: Schema, rows: readonly IndexRow[], { dimensions, modalities, heads, further }: IndexShape): Table {
  const child = (values: readonly unknown[], type: DataType): Data => vectorFromArray(values as unknown[], type as never).data[0]!;
  const children: Data[] = [
    ...scalarColumns.map((name) =>
      child(
        rows.map((row) => (name === 'id' ? BigInt(row.id) : row[name])),
        scalars[name],
      ),
    ),
    ...heads.map((head) =>
      child(
        rows.map(({ tags }) => tags[head] ?? null),
        new Float32(),
      ),
    ),
    ...further.map(({ name, type }) =>
      child(
        rows.map((row) => fitting(row.further[name] ?? null, type)),
        furtherTypes[type](),
      ),
    ),
    ...modalities.map((modality) => {
      const values = new Float32Array(rows.length * dimensions);
      for (const [i, { vectors }] of rows.entries()) values.set(vectors[modality]!, i * dimensions);
      const items = makeData({ type: new Float32(), length: values.length, nullCount: 0, data: values });
      return makeData({
        type: schema.fields.find(({ name }) => name === vectorColumn(modality))!.type as FixedSizeList,
        length: rows.length,
        nullCount: 0,
        child: items as never,
      });
    }),
  ];
  const data = makeData({ type: new Struct(schema.fields), length: rows.length, nullCount: 0, children });
  return new Table(schema, [new RecordBatch(schema, data)]);
}

/** A value in its column's type; of another file, whose column of that name is of another type, it may be something else. */
function fitting(value: FurtherValue, type: FurtherColumn['type']): FurtherValue {
  if (value === null || type === 'text') return value === null ? null : String(value);
  if (type === 'integer') return typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(value) : null;
  return type === 'number' ? Number(value) : Boolean(value);
}
