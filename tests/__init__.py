"""A package of its own name: descript-audio-codec, the reference's codec, installs one called `tests` too."""
