"""The scripts beside the examples: what is fetched is checked, a page is filled from a run and from nothing else."""

import doctest
import io
import json
import urllib.error
import wave
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SHARED = ROOT.parent / "shared" / "data"


def script(name):
    spec = spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real(name):
    if not (SHARED / name).exists():
        pytest.skip(f"{name} is not beside this checkout")
    return SHARED / name


@pytest.fixture
def fetch(monkeypatch, tmp_path):
    """``fetch("char_lm", {"input.txt": b"…"})``: with a web that has these files by the end of their address."""

    def run(name, web):
        module = script("fetch")
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)

        def urlopen(url, timeout):
            found = next((content for end, content in web.items() if url.endswith(end)), None)
            if found is None:
                raise urllib.error.URLError("no such host")
            return io.BytesIO(found)

        monkeypatch.setattr(module.urllib.request, "urlopen", urlopen)
        monkeypatch.setattr(module, "__file__", str(tmp_path / "fetch.py"))
        monkeypatch.setattr("sys.argv", ["fetch.py", name])
        module.main()
        return folder / "data"

    return run


def test_without_a_network_it_says_so(fetch):
    with pytest.raises(SystemExit, match=r"cannot fetch .*input\.txt: .*no such host") as caught:
        fetch("char_lm", {})
    assert "put the data into examples/NAME/data" in str(caught.value)


def test_other_bytes_are_refused(fetch, tmp_path):
    with pytest.raises(SystemExit, match=r"ETTh1\.csv is not what it was"):
        fetch("forecast_load", {"ETTh1.csv": b"date,OT\n"})
    assert not list((tmp_path / "forecast_load" / "data").iterdir())


def test_what_is_there_is_kept(fetch, tmp_path, capsys):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "input.txt").write_text("mine")
    (tmp_path / "char_lm").mkdir()
    (tmp_path / "char_lm" / "data").symlink_to(tmp_path / "elsewhere")
    folder = fetch("char_lm", {})
    assert (folder / "input.txt").read_text() == "mine"
    assert "there already" in capsys.readouterr().out


def test_words_out_of_conllu(fetch):
    real("ud_ewt")

    def conllu(part):
        lines = ["# newdoc"]
        for at, line in enumerate((real("ud_ewt") / f"{part}.tsv").read_text(encoding="utf-8").split("\n")[:-1]):
            form, upos, xpos = line.split("\t") if line else ("", "", "")
            if at % 50 == 7 and line:
                lines += ["3-4\tno\t_\t_\t_", "8.1\tellipsis\t_\tVERB\tVB"]
            lines.append(f"{at + 1}\t{form}\tlemma\t{upos}\t{xpos}\t_\t_\t_\t_\t_" if line else "")
        return ("\n".join(lines) + "\n").encode()

    web = {f"en_ewt-ud-{part}.conllu": conllu(part) for part in ("train", "dev", "test")}
    folder = fetch("tag_words", web)
    for part in ("train", "dev", "test"):
        assert (folder / f"{part}.tsv").read_bytes() == (real("ud_ewt") / f"{part}.tsv").read_bytes()


def test_digits_out_of_recordings(fetch):
    with np.load(real("fsdd/fsdd_audio.npz")) as found:
        ours = {name: found[name] for name in found.files}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("digits/README.md", "")
        for item in np.random.default_rng(0).permutation(3000):
            samples = ours["audio"][ours["offsets"][item] : ours["offsets"][item + 1]]
            sound = io.BytesIO()
            with wave.open(sound, "wb") as out:
                out.setparams((1, 2, 8000, len(samples), "NONE", ""))
                out.writeframes(samples.tobytes())
            speaker = ours["speaker_names"][ours["speaker"][item]]
            name = f"{ours['label'][item]}_{speaker}_{ours['index'][item]}"
            archive.writestr(f"digits/recordings/{name}.wav", sound.getvalue())
    folder = fetch("spoken_digits", {"26eb9aaf76e81b692f806f9140c2d2777410d7a1": packed.getvalue()})
    with np.load(folder / "fsdd_audio.npz") as made:
        assert set(made.files) == set(ours)
        for name, array in ours.items():
            assert made[name].dtype == array.dtype, name
            np.testing.assert_array_equal(made[name], array)


def test_music_out_of_matlab(fetch):
    savemat = pytest.importorskip("scipy.io").savemat

    def packed(name):
        with np.load(real(f"polymusic/{name}.npz")) as found:
            parts = {}
            for part in ("train", "valid", "test"):
                pieces = np.split(found[f"roll_{part}"], found[f"offsets_{part}"][1:-1])
                parts[f"{part}data"] = np.empty((1, len(pieces)), object)
                parts[f"{part}data"][0] = [piece.astype(np.float64) for piece in pieces]
        out = io.BytesIO()
        savemat(out, parts, do_compression=True)
        return out.getvalue()

    folder = fetch("chorales", {"JSB_Chorales.mat": packed("jsb_chorales"), "Nottingham.mat": packed("nottingham")})
    for name in ("jsb_chorales", "nottingham"):
        with np.load(folder / f"{name}.npz") as made, np.load(real(f"polymusic/{name}.npz")) as ours:
            for key in ours.files:
                np.testing.assert_array_equal(made[key], ours[key])


PAGE = "# x\n\n<!-- results -->\nNot run yet.\n<!-- /results -->\n\n![plot](result.svg)\n"


def test_a_page_is_filled_from_a_run(tiny, tmp_path, capsys):
    update = script("update")
    folder = tmp_path / "vowels"
    latest = folder / "runs" / "tiny" / "latest"
    latest.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text("name: tiny\n")
    (folder / "README.md").write_text(PAGE)
    (latest / "report.json").write_text(json.dumps(tiny.report))
    update.main(["vowels", "--examples", str(tmp_path)])
    page, drawn = (folder / "README.md").read_text(), (folder / "result.svg").read_text()
    assert "Not run yet" not in page
    for told in (
        "| Model |",
        "teacher, gru",
        "**gru-8, dynamic-int8**",
        "**tcn-8, dynamic-int8**",
        "logistic regression",
    ):
        assert told in page
    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "gru-8" in drawn
    update.main(["vowels", "--examples", str(tmp_path)])
    assert (page, drawn) == ((folder / "README.md").read_text(), (folder / "result.svg").read_text())
    assert "README.md: pipeline.yaml" in capsys.readouterr().out


def test_a_page_without_a_run_or_without_a_mark(tmp_path):
    update = script("update")
    (tmp_path / "vowels").mkdir()
    (tmp_path / "vowels" / "pipeline.yaml").write_text("name: tiny\n")
    with pytest.raises(SystemExit, match="has no finished run"):
        update.main(["vowels", "--examples", str(tmp_path)])
    with pytest.raises(SystemExit, match="must have the mark <!-- results: other --> once"):
        update.filled(PAGE, "other", "body")


@pytest.mark.parametrize("name", ["fetch", "update", "tag_words/words"])
def test_the_examples_in_the_scripts(name):
    found = doctest.testmod(script(name))
    assert found.attempted
    assert not found.failed
