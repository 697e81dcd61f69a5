// The page itself: widgets set the state, the state sets widgets, plots, numbers and address.
(() => {
  "use strict";

  const { AXES, RANGES, RECURRENT, TIME, data } = richlazyState;
  const S = richlazyState, E = richlazyExport;
  const element = (id) => document.getElementById(id);
  const PLOTS = ["alignments", "changes", "losses"];
  const MEASURES = new Map([
    ["kernel_alignment", "kernel alignment KA"], ["representation_alignment", "representation alignment RA"],
    ["target_alignment", "target alignment"], ["weight_change", "weight change ‖ΔW‖"],
    ["weight_change_first", "first layer"], ["weight_change_readout", "readout"],
    ["weight_change_recurrent", "of W alone"], ["relative_weight_change", "relative ‖ΔW‖ / ‖W(0)‖"],
    ["relative_weight_change_first", "relative, first layer"], ["loss", "excess loss"],
  ]);
  const AXIS_LABELS = { time: "time", rank: "rank", scale: "scale ‖W(0)‖", strength: "strength",
    alignment: "alignment", gain: "gain", steps: "steps T" };

  let state = S.initial();
  let model; // of a name
  let setting = false; // whether the page, not the reader, moves the widgets

  const digits = (value, count = 3) => Number(value.toPrecision(count));
  const clamp = (value, [least, most]) => Math.min(Math.max(value, least), most);
  const power = (position, name) => clamp(digits(10 ** position), RANGES[name]);

  // What a notch of a slider means; the ends are the ends of the range.
  const FROM_SLIDER = {
    inputs: (p) => {
      const inputs = Math.round(power(p, "inputs"));
      return { inputs, rank: Math.min(state.rank, inputs) };
    },
    rank: (p) => ({ rank: p >= 1 ? state.inputs : clamp(digits(state.inputs ** p), [1, state.inputs]) }),
    alignment: (p) => ({ alignment: digits(p) }),
    norm: (p) => ({ norm: power(p, "norm") }),
    strength: (p) => ({ strength: power(p, "strength") }),
    time: (p) => ({ time: p > TIME[1] + 1e-9 ? Infinity : power(p, "time") }),
  };
  const NODES = Object.entries(RECURRENT);
  for (const [name, list] of NODES) {
    FROM_SLIDER[name] = (p) => ({ [name]: S.table(state)[list][Math.round(p)] });
  }
  const TO_SLIDER = {
    inputs: () => Math.log10(state.inputs),
    rank: () => Math.log(state.rank) / Math.log(state.inputs),
    alignment: () => S.alignment(state),
    norm: () => Math.log10(state.norm),
    strength: () => Math.log10(state.strength),
    time: () => (state.time === Infinity ? TIME[2] : Math.log10(state.time)),
  };
  for (const [name, list] of NODES) {
    TO_SLIDER[name] = () => S.table(state)[list].indexOf(state[name]);
  }
  const shown = (value) => (value === Infinity ? "∞, end of training" : String(digits(value, 4)));
  // What each slider is called and what it says.
  const LABELS = {
    inputs: ["inputs d", () => String(state.inputs)],
    rank: ["rank or participation ratio r", () => shown(state.rank)],
    alignment: ["alignment c", () => shown(S.alignment(state)) + (S.atFullRank(state) ? ", full rank" : "")],
    norm: ["scale ‖W(0)‖", () => shown(state.norm)],
    strength: ["strength g of the task", () => shown(state.strength)],
    time: ["time", () => shown(state.time)],
    ratio: ["participation ratio PR / N", () => shown(state.ratio)],
    gain: ["gain ‖W‖ / √N", () => shown(state.gain)],
    steps: ["steps T of the task", () => shown(state.steps)],
    training: ["time", () => shown(state.training)],
  };
  const SLIDERS = Object.keys(LABELS);

  // Set a text where it changes: the browser lays out again whatever is set.
  function write(place, text) {
    if (place.textContent !== text) place.textContent = text;
  }

  function say(words, wrong = false) {
    const place = element("message");
    place.textContent = words;
    place.hidden = !words;
    place.classList.toggle("wrong", wrong);
  }

  function setWidgets() {
    setting = true;
    const recurrent = state.reading === "recurrent";
    for (const name of SLIDERS) {
      const slider = model(name), value = TO_SLIDER[name]();
      if (slider.value !== value && value >= 0 || !(name in RECURRENT)) slider.value = value;
      const [label, told] = LABELS[name], place = element(`slider-${name}`);
      write(place.querySelector("span"), label);
      write(place.querySelector("output"), told());
      nameHandle(name, label, told());
    }
    model("ratio").disabled = S.isOwn(state);
    model("alignment").disabled = state.alignment === "typical" || S.atFullRank(state);
    model("typical").active = state.alignment === "typical";
    model("reading").active = recurrent ? 1 : 0;
    model("start").value = state.start;
    const axis = model("axis");
    if (axis.options.length !== AXES[state.reading].length || axis.options[1][0] !== AXES[state.reading][1]) {
      axis.options = AXES[state.reading].map((name) => [name, AXIS_LABELS[name]]);
    }
    axis.value = state.axis;
    for (const part of document.querySelectorAll("[data-reading]")) {
      part.hidden = part.dataset.reading !== state.reading;
    }
    write(element("about"), about());
    write(element("table-note"), recurrent ? tableNote() : "");
    setting = false;
  }

  function about() {
    const start = S.preset(state);
    if (!start) return "";
    let words = `Participation ratio ${digits(start.rank, 4)} of ${start.inputs}, at norm 1. ${start.said}`;
    if (state.reading === "recurrent" && !S.isOwn(state)) {
      const ratio = digits(start.rank / start.units, 3);
      words = `PR / N is ${ratio}; the table's nearest is ${state.ratio}. ${start.said}`;
    }
    return words;
  }

  function tableNote() {
    const { tasks, units } = S.table(state);
    const own = S.isOwn(state);
    const few = own && state.ratio * units < 30
      ? " Its participation ratio is below 30: draws learn unlike the typical start." : "";
    const what = own ? "the typical start of this spectrum" : "the typical start of two singular values, 0 and one other";
    return `Means over ${tasks} random tasks of strength 1, one channel and one output, by ${what} (T20); `
      + `beside each its standard error. One number asked of the library alone agrees to its numerical error, `
      + `far below that.${few}`;
  }

  // A round number above: an axis that stays while curves move under it.
  function above(value) {
    if (!(value > 0)) return 1;
    const unit = 10 ** Math.floor(Math.log10(value)), share = (1.03 * value) / unit;
    return unit * [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15].find((round) => round >= share);
  }

  // Axes of all plots, set anew only where they change: their labels are laid out again.
  let drawn = "";
  function setAxes(along) {
    const key = JSON.stringify([along.label, along.range, along.ticks]);
    if (key === drawn) return;
    drawn = key;
    const [low, high] = along.range, room = 0.02 * (high - low);
    for (const plot of PLOTS) {
      Object.assign(model(plot).x_range, { start: low - room, end: high + room });
      const axis = model(`${plot}_x`);
      axis.axis_label = along.label;
      axis.ticker.ticks = along.ticks.map(([place]) => place);
      axis.major_label_overrides = new Map(along.ticks);
    }
  }

  function setLines(along, found) {
    const columns = { place: along.points.map(({ place }) => place) };
    const names = Object.keys(model("curves").data).filter((name) => name !== "place");
    for (const name of names) columns[name] = found.map((values) => values[name] ?? NaN);
    const at = S.numbers(state);
    const marks = { place: [along.here] };
    for (const name of names) marks[name] = [at[name] ?? NaN];
    for (const plot of PLOTS) {
      const view = model(plot);
      model(`${plot}_here`).location = along.here;
      if (plot === "alignments") continue;
      // a loss is seen against that of a network that gives nothing
      const least = plot === "losses" ? 0.5 * (state.reading === "recurrent" ? 1 : state.strength) ** 2 : 0;
      const most = Math.max(least, ...view.renderers.filter((r) => r.visible)
        .flatMap(({ glyph }) => columns[glyph.y.field].filter(Number.isFinite)));
      const end = above(most);
      if (view.y_range.end !== end) view.y_range.setv({ start: -0.02 * end, end });
    }
    model("curves").data = columns;
    model("marks").data = marks;
    return at;
  }

  // A line of one reading alone is seen in it alone.
  function setLegends() {
    const recurrent = state.reading === "recurrent";
    for (const [column, seen] of [["relative_weight_change", !recurrent], ["weight_change_recurrent", recurrent]]) {
      for (const part of ["", "_mark", "_item"]) model(`changes_${column}${part}`).visible = seen;
    }
  }

  // Rows of the table, made anew only where the measures are others.
  function rowsOf(names) {
    const body = element("numbers").tBodies[0];
    const known = [...body.rows].map((row) => row.dataset.measure);
    if (known.join() !== names.join()) {
      body.replaceChildren(...names.map((name) => {
        const row = document.createElement("tr"), head = document.createElement("th");
        row.dataset.measure = name;
        head.scope = "row";
        head.textContent = MEASURES.get(name);
        row.append(head, document.createElement("td"), document.createElement("td"));
        return row;
      }));
    }
    return [...body.rows];
  }

  function setNumbers(at) {
    const recurrent = state.reading === "recurrent";
    write(element("third"), recurrent ? "standard error" : "in full");
    for (const row of rowsOf([...MEASURES.keys()].filter((name) => name in at))) {
      const value = at[row.dataset.measure], error = at[`${row.dataset.measure}_standard_error`];
      const full = recurrent ? `± ${error}` : value === 0 ? "0" : value?.toPrecision(13);
      write(row.cells[1], value === null ? "–" : String(digits(value, recurrent ? 6 : 4)));
      write(row.cells[2], value === null ? "–" : full);
    }
    const ka = at.kernel_alignment;
    write(element("word"), ka >= 0.9 ? "lazy" : ka <= 0.5 ? "rich" : "in between");
    write(element("kept"), ka > 0.999 && ka < 1 ? `1 − ${digits(1 - ka, 2)}` : ka.toFixed(3));
  }

  let keeping;
  function keepAddress() {
    clearTimeout(keeping);
    keeping = setTimeout(() => history.replaceState(null, "", S.toHash(state)), 120);
  }

  function redraw() {
    setWidgets();
    setLegends();
    const along = S.axis(state);
    setAxes(along);
    const at = setLines(along, along.points.map((point) => S.numbers(point.state)));
    setNumbers(at);
    write(element("python"), E.pythonLines(state));
    write(element("command"), E.command(state));
  }

  function become(next) {
    state = next;
    redraw();
    keepAddress();
  }

  // What the reader did to a widget.
  function moved(name, value) {
    if (setting) return;
    say("");
    if (name in FROM_SLIDER) {
      const next = { ...state, ...FROM_SLIDER[name](value) };
      if (["inputs", "rank", "ratio"].includes(name)) next.start = "";
      become(next);
    } else if (name === "typical") {
      become({ ...state, alignment: value ? "typical" : digits(S.alignment(state)) });
    } else if (name === "start") become(read(S.started(state, value)));
    else if (name === "axis") become({ ...state, axis: value });
    else become(read({ ...state, reading: value === 1 ? "recurrent" : "first-layer", axis: "time" }));
  }

  // A state whose start the reading knows, and whose recurrent numbers are nodes of its table.
  function read(next) {
    const start = S.preset(next);
    const found = { ...next };
    if (found.reading === "recurrent" && start && start.units === null) {
      say(`${start.label} is no square matrix and cannot be read as a recurrent network`, true);
      found.start = "";
    }
    for (const [name, list] of NODES) found[name] = S.nearest(S.table(found)[list], found[name]);
    return found;
  }

  function readAddress() {
    const { state: next, wrong } = S.fromHash(location.hash);
    if (wrong.length) say(`The address of this page: ${wrong.join("; ")}. What is shown stands in its place.`, true);
    else say("");
    state = next;
    redraw();
    if (wrong.length) keepAddress();
  }

  async function uploaded(file) {
    if (!file) return;
    try {
      if (file.size > 2e7) throw new richlazyUpload.UploadError("it is larger than 20 MB; use the command richlazy explore");
      const found = richlazyUpload.read(await file.text(), RANGES.inputs[1]);
      const next = { ...state, start: "", inputs: found.inputs, rank: found.rank, norm: 1, alignment: "typical" };
      if (found.square) next.ratio = S.nearest(data.recurrent.ratios, found.rank / found.inputs);
      else next.reading = "first-layer";
      if (next.reading !== state.reading) next.axis = "time";
      become(read(next));
      say(`${file.name}: ${found.what}, participation ratio ${digits(found.rank, 6)}, now at norm 1.`);
    } catch (error) {
      if (!(error instanceof richlazyUpload.UploadError)) throw error;
      say(`${file.name} cannot be used: ${error.message}.`, true);
    }
  }

  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  async function copy(id) {
    const place = element(id);
    try {
      await navigator.clipboard.writeText(place.textContent);
      say("Copied.");
    } catch { // not allowed here: mark the lines, for the reader to copy
      getSelection().selectAllChildren(place);
      say("The lines are marked: copy them with the keyboard.");
    }
  }

  function listen() {
    for (const name of SLIDERS) {
      const slider = model(name);
      slider.connect(slider.properties.value.change, () => moved(name, slider.value));
    }
    for (const [name, property] of [["reading", "active"], ["start", "value"], ["axis", "value"], ["typical", "active"]]) {
      const widget = model(name);
      widget.connect(widget.properties[property].change, () => moved(name, widget[property]));
    }
    addEventListener("hashchange", readAddress);
    element("file").addEventListener("change", (event) => {
      uploaded(event.target.files[0]);
      event.target.value = ""; // the same file may come again
    });
    element("copy-python").addEventListener("click", () => copy("python"));
    element("copy-command").addEventListener("click", () => copy("command"));
    element("save-csv").addEventListener("click", () => save("richlazy.csv", "text/csv", E.csv(state)));
    element("save-svg").addEventListener("click", async () => {
      const views = PLOTS.map((name) => Bokeh.index.get_by_id(model(name).id));
      save("richlazy.svg", "image/svg+xml", await E.svg(views));
    });
  }

  // The part of a slider that the keyboard moves, which a screen reader would call by nothing.
  function nameHandle(name, label, told) {
    const found = Bokeh.index.get_by_id(model(name).id)?.shadow_el?.querySelector(".noUi-handle");
    if (!found || found.getAttribute("aria-valuetext") === told) return;
    found.setAttribute("aria-label", label);
    found.setAttribute("aria-valuetext", told);
  }

  function begin() {
    const page = globalThis.Bokeh?.documents[0];
    if (!page || !Bokeh.index.roots.length) {
      requestAnimationFrame(begin);
      return;
    }
    const known = new Map();
    model = (name) => {
      if (!known.has(name)) known.set(name, page.get_model_by_name(name));
      return known.get(name);
    };
    element("version").textContent = data.version;
    if (data.presets[0].name === "input" && !location.hash) {
      const own = data.presets[0];
      state = read(S.started(state, "input"));
      redraw();
    } else readAddress();
    listen();
    globalThis.richlazyPage = Object.freeze({ state: () => ({ ...state }), model });
    document.documentElement.dataset.ready = "yes";
  }
  begin();
})();
