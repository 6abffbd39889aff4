interface Props<T extends string> {
  name: string;
  options: readonly T[];
  /** What is chosen at first. */
  value: T;
  /** How an option reads; as it is spelt when not said. */
  word?: (option: T) => string;
}

/** A choice in a form that is read when it is sent. The page's library gives a select no default of its own; its options do. */
export const Choice = <T extends string>({ name, options, value, word = (option) => option }: Props<T>) => (
  <select name={name}>{options.map((option) => <option key={option} value={option} selected={option === value}>{word(option)}</option>)}</select>
);
