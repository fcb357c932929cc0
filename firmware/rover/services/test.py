"""ST[17] test: are you alive."""


def execute(app, key, args):
    app.pus.report(17, 2, 0)
