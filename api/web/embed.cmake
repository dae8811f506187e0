# Turns the files of the page into one C file, so that notify-api needs nothing beside itself.
#
#     cmake -DFILES=<index.html;css/a.css;js/b.js> -DOUT=<out.c> -P api/web/embed.cmake
#
# See api/web/web_files.h for what the C file defines.
set(arrays "")
set(rows "")
foreach(file IN LISTS FILES)
  get_filename_component(name ${file} NAME)
  string(MAKE_C_IDENTIFIER ${name} symbol)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char file_${symbol}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", (const char *)file_${symbol}, sizeof file_${symbol} - 1},\n")
endforeach()
file(WRITE ${OUT}.new "#include \"api/web/web_files.h\"\n\n${arrays}
const struct web_file web_files[] = {\n${rows}    {0, 0, 0}};\n")
file(RENAME ${OUT}.new ${OUT})
