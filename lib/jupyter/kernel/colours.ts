/** ANSI colours, as every Jupyter front end renders them. */
const paint = (code: number, end: number) => (text: string) =>
  `\u001b[${code}m${text}\u001b[${end}m`;

export const bold = paint(1, 22);
export const dim = paint(2, 22);
export const red = paint(31, 39);
export const green = paint(32, 39);
export const yellow = paint(33, 39);
export const cyan = paint(36, 39);
