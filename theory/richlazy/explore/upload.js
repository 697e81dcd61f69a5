// What a file of numbers says of a start: inputs d and participation ratio, or one line on what is wrong.
globalThis.richlazyUpload = (() => {
  "use strict";

  const LARGEST_FILE = 2e7; // bytes
  const LARGEST_WORK = 2e9; // products

  class UploadError extends Error {}
  const refuse = (words) => { throw new UploadError(words); };

  function rows(text) {
    const found = [];
    text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/).forEach((line, index) => {
      if (!line.trim() || line.trimStart().startsWith("#")) return;
      const cells = line.trim().split(/\s*[,;\t]\s*|\s+/);
      const row = cells.map((cell) => {
        if (/^[+-]?(nan|inf(inity)?)$/i.test(cell)) {
          refuse(`line ${index + 1} holds ${cell}, and every number must be finite`);
        }
        const value = cell === "" ? NaN : Number(cell);
        if (!Number.isFinite(value)) {
          refuse(`line ${index + 1} holds “${cell.slice(0, 20)}”, which is no number`);
        }
        return value;
      });
      if (found.length && row.length !== found[0].length) {
        refuse(`line ${index + 1} has ${row.length} numbers, and the first has ${found[0].length}`);
      }
      found.push(row);
    });
    if (!found.length) refuse("it holds no numbers");
    return found;
  }

  // ‖W‖⁴ / ‖WᵀW‖² from the Gram matrix of the shorter side, the largest entry being 1.
  function participationRatio(matrix) {
    const largest = Math.max(...matrix.map((row) => Math.max(...row.map(Math.abs))));
    if (largest === 0) refuse("all its numbers are 0");
    const tall = matrix.length > matrix[0].length;
    const lines = (tall ? matrix[0].map((_, j) => matrix.map((row) => row[j])) : matrix)
      .map((row) => Float64Array.from(row, (value) => value / largest));
    let trace = 0, square = 0;
    lines.forEach((a, i) => {
      for (let j = 0; j <= i; j += 1) {
        const b = lines[j];
        let product = 0;
        for (let k = 0; k < a.length; k += 1) product += a[k] * b[k];
        if (i === j) trace += product;
        square += (i === j ? 1 : 2) * product * product;
      }
    });
    return (trace * trace) / square;
  }

  function read(text, most) {
    if (text.length > LARGEST_FILE) {
      refuse(`it is larger than ${LARGEST_FILE / 1e6} MB; use the command richlazy explore`);
    }
    const table = rows(text);
    const spectrum = table.length === 1 || table[0].length === 1;
    const values = table.flat();
    const inputs = spectrum ? values.length : table[0].length;
    if (inputs < 2) refuse("it holds one number, and a start needs at least two");
    if (inputs > most) refuse(`it has ${inputs} inputs, and the page goes up to ${most}`);
    if (spectrum && values.some((value) => value < 0)) {
      refuse(`singular values are not negative, and one is ${values.find((value) => value < 0)}`);
    }
    const [short, long] = [table.length, table[0].length].sort((a, b) => a - b);
    if (!spectrum && short * short * long > LARGEST_WORK) {
      refuse(`${table.length} × ${inputs} is too large here; use the command richlazy explore`);
    }
    // a spectrum is a diagonal matrix: the sums of its squares and fourth powers
    let ratio;
    if (spectrum) {
      const largest = Math.max(...values);
      if (largest === 0) refuse("all its numbers are 0");
      const squares = values.map((value) => (value / largest) ** 2);
      const sum = squares.reduce((a, b) => a + b, 0);
      ratio = (sum * sum) / squares.reduce((a, b) => a + b * b, 0);
    } else ratio = participationRatio(table);
    if (ratio > inputs * (1 - 1e-12)) ratio = inputs; // rounding of a flat spectrum
    return {
      inputs, rank: Math.max(ratio, 1),
      what: spectrum ? `a spectrum of ${inputs} values` : `weights of ${table.length} hidden units × ${inputs} inputs`,
      square: spectrum || table.length === inputs,
    };
  }

  return Object.freeze({ UploadError, read });
})();
