// The same numbers elsewhere: lines of Python, a command, CSV and SVG.
globalThis.richlazyExport = (() => {
  "use strict";

  const { alignment, axis, data, isOwn, numbers, preset, table, toHash } = richlazyState;
  const python = (value) => (value === Infinity ? "float(\"inf\")" : String(value));
  const shell = (value) => (value === Infinity ? "inf" : String(value));

  function pythonLines(state) {
    if (state.reading === "first-layer") {
      return [
        "import richlazy as rl",
        `found = rl.low_rank.measures(${state.rank}, ${state.inputs}, alignment=${alignment(state)}, `
          + `norm=${state.norm}, strength=${state.strength}, t=${python(state.time)})`,
        "print(found)",
      ].join("\n");
    }
    const { units, tasks } = table(state);
    const own = isOwn(state);
    const start = own
      ? ["import richlazy as rl", `values = ${preset(state).values}`,
        `start = rl.spectrum.rescaled(values, ${state.gain} * ${units} ** 0.5)`]
      : ["import richlazy as rl",
        `start = rl.spectrum.flat(rank=${Math.round(state.ratio * units)}, norm=${state.gain} * ${units} ** 0.5)`];
    return [...start,
      `found = rl.recurrent.expect(start, steps=${state.steps}, units=${units}, tasks=${tasks}, `
        + `method="typical", t=${python(state.training)})`,
      "print(found)",
    ].join("\n");
  }

  function command(state) {
    if (state.reading === "first-layer") {
      const c = `--alignment ${alignment(state)} --strength ${state.strength} --time ${shell(state.time)} --json`;
      // a family has whole ranks; the cell of a map any
      return Number.isInteger(state.rank)
        ? `richlazy predict flat:rank=${state.rank},norm=${state.norm} --inputs ${state.inputs} ${c}`
        : `richlazy map rank scale --inputs ${state.inputs} --x ${state.rank} --y ${state.norm} ${c}`;
    }
    const { units, tasks } = table(state);
    // no command asks for one cell of a spectrum; this makes the table that the page shows
    if (isOwn(state)) return preset(state).command;
    return `richlazy map gain steps --units ${units} --rank ${Math.round(state.ratio * units)} `
      + `--x ${state.gain} --y ${state.steps} --tasks ${tasks} --time ${shell(state.training)} --json`;
  }

  // The curves as they are drawn; the last column says where the numbers come from.
  function csv(state) {
    const along = axis(state);
    const found = along.points.map((point) => numbers(point.state));
    const names = Object.keys(found[0]);
    const lines = found.map((values, k) => [
      shell(along.points[k].x),
      ...names.map((name) => (values[name] === null ? "" : String(values[name]))),
      k === 0 ? `"richlazy ${data.version} explorer ${toHash(state)}"` : "",
    ].join(","));
    return [[along.name, ...names, "provenance"].join(","), ...lines, ""].join("\n");
  }

  // One picture of the plots: the first over the others, as on a wide page.
  async function svg(views) {
    const shown = await Promise.all(views.map(async (view) => {
      const text = await (await view.export("svg", false).to_blob()).text();
      const inner = text.replace(/^<\?xml[^>]*\?>\s*/, "").replace(/^<!DOCTYPE[^>]*>\s*/, "");
      return { inner, width: view.bbox.width, height: view.bbox.height };
    }));
    let x = 0, y = 0, width = 0;
    const parts = shown.map((one, k) => {
      const part = one.inner.replace("<svg", `<svg x="${x}" y="${y}"`);
      width = Math.max(width, x + one.width);
      [x, y] = k === 0 ? [0, one.height] : [x + one.width, y];
      return part;
    });
    const height = y + shown[shown.length - 1].height;
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${parts.join("")}</svg>`;
  }

  return Object.freeze({ command, csv, pythonLines, svg });
})();
