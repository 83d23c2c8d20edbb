"""Figures and pictures for a person: tables, model cards, HTML files, models side by side.

report        Figure and Report: figures beside targets, as table, JSON and part of a card
html_report   a report as one HTML file, and its figures as JSON
published     figures that the paper publishes
gallery       the pictures of a report: heads × azimuths
grids         pictures beside each other in one PNG
comparison    two models' reports side by side
side_by_side  figures of several models, a column for each
"""
